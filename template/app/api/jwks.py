"""What services that verify tokens ask for: the public keys, and whether a token is still good."""

import hashlib
import json
from functools import lru_cache
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from app.accounts.sessions import find_signed_in_user
from app.accounts.tokens import InvalidToken, TokenSigner, TokenType
from app.api.dependencies import ServicesDep, not_signed_in
from app.errors import AppError, ErrorCode
from app.foundation.http.client_address import rate_limit_key
from app.foundation.http.openapi import BODY_ERRORS, errors
from app.foundation.http.request_body import accepts_form
from app.foundation.limits import new_limit, unlimited
from app.jwks.key_ring import public_keys
from app.jwks.settings import JwksSettings
from app.services import Services

WRONG_SERVICE_TOKENS: Final = new_limit("service tokens", "20/minute")
"""From one address. A right one is never limited: whoever asks with it serves others."""

CACHE_CONTROL: Final = "public, max-age=300, stale-if-error=86400"
"""Five minutes is how long a staged key waits before it may sign."""

router = APIRouter(tags=["jwks"])


class PublicKey(BaseModel):
    kty: str
    crv: str
    x: str
    y: str | None = None
    kid: str
    alg: str
    use: str


class PublicKeys(BaseModel):
    keys: list[PublicKey]


@router.get("/.well-known/jwks.json", response_model=PublicKeys, responses={304: {}})
@unlimited
async def jwks(request: Request, services: ServicesDep) -> Response:
    """The public keys of the access tokens (RFC 7517), those that are staged too."""
    body, etag = _document(services.tokens)
    headers = {
        "Cache-Control": CACHE_CONTROL,
        "ETag": etag,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    known = request.headers.get("if-none-match", "")[:200]
    if etag in known or known == "*":
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@lru_cache(maxsize=1)
def _document(tokens: TokenSigner) -> tuple[bytes, str]:
    keys = public_keys(tokens.rings[TokenType.ACCESS], tokens.rings[TokenType.REFRESH])
    body = json.dumps({"keys": keys}).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class Introspection(BaseModel):
    """RFC 7662 §2.2. Of a token that is not good, `active` alone."""

    active: bool
    token_type: str | None = None
    sub: str | None = None
    sid: str | None = None
    iss: str | None = None
    aud: str | None = None
    exp: int | None = None
    role: str | None = None


service_bearer = HTTPBearer(
    scheme_name="ServiceToken", auto_error=False, description="One of SERVICE_TOKENS."
)

_FORM: Final = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["token"],
                "properties": {"token": {"type": "string", "minLength": 1}},
            }
        }
    },
}


@router.post(
    "/api/auth/introspect",
    response_model=Introspection,
    responses=errors(*BODY_ERRORS, 401, 429, 503),
    openapi_extra={"requestBody": _FORM},
)
@unlimited
@accepts_form
async def introspect(
    request: Request, services: ServicesDep, _: Annotated[object, Depends(service_bearer)]
) -> JSONResponse:
    """Whether an access token is good now, its session and user included (RFC 7662).

    For services: the caller sends a service token.
    """
    await _require_service(request, services)
    token = _token_in(await request.body())
    try:
        claims = services.tokens.read(token, TokenType.ACCESS)
    except InvalidToken:
        return JSONResponse({"active": False})
    user = await find_signed_in_user(services, claims)
    if user is None:
        return JSONResponse({"active": False})
    return JSONResponse(
        {
            "active": True,
            "token_type": "Bearer",  # nosec B105
            "sub": str(user.id),
            "sid": str(user.session_id),
            "iss": services.settings.jwt_issuer,
            "aud": services.settings.jwt_audience,
            "exp": int(claims.expires_at.timestamp()),
            "role": user.role,
        }
    )


async def _require_service(request: Request, services: Services) -> None:
    """
    Raises:
        AppError: 401, or 429 to who has tried too often.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    digest = hashlib.sha256(token.strip(" ").encode()).digest()
    known = services.settings.part(JwksSettings).service_token_digests
    if scheme.lower() != "bearer" or digest not in known:
        address = rate_limit_key(request.state.client_address)
        await services.limiter.count(WRONG_SERVICE_TOKENS, address)
        raise not_signed_in(request)


def _token_in(body: bytes) -> str:
    try:
        [token] = parse_qs(body.decode(), max_num_fields=20).get("token", [])
    except ValueError:
        problem = "Send the token as `token=…`, once, in a form."
        raise AppError(400, ErrorCode.VALIDATION_FAILED, problem) from None
    return token
