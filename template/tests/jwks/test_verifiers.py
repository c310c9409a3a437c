"""Verifiers that nobody here wrote take a live token and the address of the public keys.

Further ones need registries of their own and are asked by a script of the template's repository;
docs/verify-in-another-service.md has the table.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.accounts.key_rings import Key
from tests.helpers import ROOT, Account, register
from tests.jwks.conftest import SERVICE_TOKEN
from tests.live import Serve, free_port
from tests.programs import running
from tests.services import needs_haproxy

PAGE = (ROOT / "docs/verify-in-another-service.md").read_text(encoding="utf-8")


def snippet(language: str, **changes: str) -> str:
    """The code of the page, with its examples replaced by what is true here."""
    [code] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    for example, real in changes.items():
        code = code.replace(EXAMPLES[example], real)
    return str(code)


EXAMPLES = {
    "url": "https://api.example.com",
    "name": "myapi",
    "algorithm": "EdDSA",
}


def good_and_bad(account: Account, key: Key) -> tuple[str, list[str]]:
    """A live token, and what a verifier must refuse."""
    token = account.access_token
    claims = jwt.decode(token, options={"verify_signature": False})
    header = {"typ": "at+jwt", "kid": key.kid}

    def signed(**changes: Any) -> str:
        changed = {**claims, **changes}
        left = {name: value for name, value in changed.items() if value is not None}
        return jwt.encode(left, key.signs_with, key.algorithm, headers=header)

    body, _, signature = token.rpartition(".")
    return token, [
        account.refresh_token,
        jwt.encode(claims, key.signs_with, key.algorithm, headers={**header, "typ": "JWT"}),
        signed(iss="another"),
        signed(aud="another"),
        signed(exp=claims["iat"] - 3600, iat=claims["iat"] - 7200),
        signed(exp=None),
        f"{body}.{signature[::-1]}",
        jwt.encode(claims, "x" * 40, "HS256", headers=header),
        jwt.encode(claims, "", "none", headers=header),
    ]


async def test_the_snippet_for_python_verifies(
    serve: Serve, pair: str, key: Key, algorithm: str
) -> None:
    async with serve(jwt_private_keys=pair) as server, server.client() as client:
        account = await register(client)
        code: dict[str, Any] = {}
        source = snippet("python", url=server.url, name="app", algorithm=algorithm)
        exec(compile(source, "the page", "exec"), code)  # noqa: S102
        good, bad = good_and_bad(account, key)
        assert (await asyncio.to_thread(code["verify"], good))["sub"] == account.id
        for token in bad:
            with pytest.raises(jwt.PyJWTError):
                await asyncio.to_thread(code["verify"], token)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # it wants RFC 9864's name for it
async def test_joserfc_verifies(client: httpx.AsyncClient, ada: Account, key: Key) -> None:
    joserfc = pytest.importorskip("joserfc.jwt", reason="needs joserfc: pip install joserfc")
    KeySet = pytest.importorskip("joserfc.jwk").KeySet  # noqa: N806

    keys = KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())
    claims = joserfc.JWTClaimsRegistry(
        **{name: {"essential": True, "value": "app"} for name in ("iss", "aud")},
        exp={"essential": True},
    )

    def verify(token: str) -> str:
        read = joserfc.decode(token, keys, algorithms=[key.algorithm])
        claims.validate(read.claims)
        if read.header["typ"] != "at+jwt":
            raise ValueError("not an access token")
        return str(read.claims["sub"])

    good, bad = good_and_bad(ada, key)
    assert verify(good) == ada.id
    for token in bad:
        with pytest.raises((ValueError, pytest.importorskip("joserfc.errors").JoseError)):
            verify(token)


@needs_haproxy
async def test_haproxy_verifies(serve: Serve, pairs: dict[str, str], tmp_path: Path) -> None:
    """Version 2.6 knows ES256 and no EdDSA."""
    from app.jwks.key_pairs import read_key_pair  # noqa: PLC0415

    key = read_key_pair(pairs["ES256"])
    public = key.verifies_with.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    port = free_port()
    async with serve(jwt_private_keys=pairs["ES256"]) as server, server.client() as client:
        account = await register(client)
        config = snippet("haproxy", name="app").replace(
            "/etc/haproxy/api.pem", f"{tmp_path}/public.pem"
        )
        file = tmp_path / "haproxy.cfg"
        file.write_text(HAPROXY.format(port=port, api=server.port, rules=config))
        with running(["haproxy", "-db", "-f", str(file)], tmp_path, port):
            url = f"http://127.0.0.1:{port}/health"
            async with httpx.AsyncClient(trust_env=False) as through:
                good, bad = good_and_bad(account, key)
                for token in (good, *bad):
                    headers = {"Authorization": f"Bearer {token}"}
                    answer = await through.get(url, headers=headers)
                    assert answer.status_code == (200 if token == good else 401), token
                assert (await through.get(url)).status_code == 401


HAPROXY = """
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend here
  bind 127.0.0.1:{port}
{rules}
  default_backend api
backend api
  server one 127.0.0.1:{api}
"""


async def test_the_question_of_the_page_is_answered(serve: Serve, pair: str) -> None:
    """The `curl` of the page, as it stands there."""
    async with (
        serve(jwt_private_keys=pair, service_tokens=SERVICE_TOKEN) as server,
        server.client() as client,
    ):
        account = await register(client)
        [command] = re.findall(r"```sh\n(curl .*?introspect.*?)```", PAGE, re.DOTALL)
        script = command.replace("https://api.example.com", server.url)
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", script),
            env={
                "service_token": SERVICE_TOKEN,
                "token": account.access_token,
                "PATH": "/usr/bin:/bin",
            },
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert b'"active":true' in out
