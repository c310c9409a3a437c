"""Access tokens by a key pair, under the attacks on those by a secret and some more."""

import hashlib
import hmac
import json
from collections.abc import Callable
from inspect import signature
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.accounts.key_rings import Key, key_id
from app.config import Settings
from app.jwks.key_pairs import new_key_pair, public_jwk, read_key_pair
from tests.accounts import test_tokens
from tests.accounts.test_tokens import NO_ALGORITHMS, Forger, as_bytes, b64, decoded
from tests.helpers import Account, bearer, connect, is_signed_in, refresh, register, try_refresh

OF_SECRETS = {
    "test_the_algorithm_is_pinned",
    "test_neither_kind_works_in_the_place_of_the_other",
    "test_a_secret_of_somebody_else_signs_nothing",
    "test_a_token_tells_nothing_about_a_person",
}
"""What is different here, and below."""

globals().update(
    {
        name: test
        for name, test in vars(test_tokens).items()
        if name.startswith("test_") and name not in OF_SECRETS
        if "forger" in signature(test).parameters
    }
)

Start = Callable[..., Any]


class PairForger(Forger):
    """Knows the private key too: what its access tokens are signed with, as the real ones are."""

    def __init__(self, client: httpx.AsyncClient, account: Account, secret: str, key: Key) -> None:
        super().__init__(client, account, secret)
        self.key = key
        self.typ = ""

    def parts(self, typ: str) -> tuple[Any, Any]:
        self.typ = typ
        return super().parts(typ)

    def sign(self, header: Any, claims: Any, digest: Any = hashlib.sha256) -> str:
        if self.typ == "rt+jwt" or digest is not hashlib.sha256:
            return super().sign(header, claims, digest)
        signed = f"{b64(as_bytes(header))}.{b64(as_bytes(claims))}"
        return f"{signed}.{b64(self.key.method.sign(signed.encode(), self.key.signs_with))}"


@pytest.fixture
def forger(client: httpx.AsyncClient, ada: Account, settings: Settings, key: Key) -> PairForger:
    return PairForger(client, ada, settings.jwt_secret.get_secret_value(), key)


def test_the_header_is_that_of_the_pair(forger: PairForger, key: Key, algorithm: str) -> None:
    header, _ = forger.parts("at+jwt")
    assert header == {"alg": algorithm, "typ": "at+jwt", "kid": key.kid}
    header, _ = forger.parts("rt+jwt")
    assert header["alg"] == "HS256", "only this API reads it"


async def test_the_algorithm_is_the_key_s(forger: PairForger, algorithm: str) -> None:
    header, claims = forger.parts("at+jwt")
    others = ("HS256", "HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "ES256K", "EdDSA")
    for alg in (*others, "Ed25519", "eddsa", "es256", [algorithm], *NO_ALGORITHMS):
        if alg != algorithm:
            forged = forger.sign({**header, "alg": alg}, claims)
            assert await forger.is_refused("at+jwt", forged), alg


async def test_a_public_key_is_no_secret(forger: PairForger, key: Key) -> None:
    """The oldest confusion: what everybody may know, used as the secret of HS256."""
    header, claims = forger.parts("at+jwt")
    public = key.verifies_with
    spki = PublicFormat.SubjectPublicKeyInfo
    raw = (
        public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        if isinstance(public, ed25519.Ed25519PublicKey)
        else public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
    for secret in (
        public.public_bytes(Encoding.PEM, spki),
        public.public_bytes(Encoding.PEM, spki).strip(),
        public.public_bytes(Encoding.DER, spki),
        raw,
        json.dumps(public_jwk(key)).encode(),
        public_jwk(key)["x"].encode(),
        key.kid.encode(),
        b"",
    ):
        signed = f"{b64(as_bytes({**header, 'alg': 'HS256'}))}.{b64(as_bytes(claims))}"
        forged = f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
        assert await forger.is_refused("at+jwt", forged), secret


OTHER_CURVES: list[tuple[str, Any, Any]] = [
    ("ES256", ec.SECP256R1(), hashes.SHA256()),
    ("ES384", ec.SECP384R1(), hashes.SHA384()),
    ("ES512", ec.SECP521R1(), hashes.SHA512()),
    ("ES256K", ec.SECP256K1(), hashes.SHA256()),
]


@pytest.mark.parametrize(("alg", "curve", "digest"), OTHER_CURVES, ids=lambda value: str(value)[:6])
async def test_another_key_of_any_curve_signs_nothing(
    forger: PairForger, algorithm: str, alg: str, curve: Any, digest: Any
) -> None:
    header, claims = forger.parts("at+jwt")
    private = ec.generate_private_key(curve)
    for said in {alg, algorithm, "EdDSA"}:
        signed = f"{b64(as_bytes({**header, 'alg': said}))}.{b64(as_bytes(claims))}"
        forged = f"{signed}.{b64(private.sign(signed.encode(), ec.ECDSA(digest)))}"
        assert await forger.is_refused("at+jwt", forged)
        own = jwt.encode(claims, private, alg, headers={**header, "alg": alg})
        assert await forger.is_refused("at+jwt", own)


async def test_a_signature_of_nothing_is_none(forger: PairForger) -> None:
    """All zeros (CVE-2022-21449), none at all, and ECDSA's other spelling."""
    header, claims = forger.parts("at+jwt")
    signed = forger.sign(header, claims).rpartition(".")[0]
    private = forger.key.signs_with
    signatures = [b"\x00" * 64, b"\x01" * 64, b"\xff" * 64, b"\x00" * 63, b""]
    if isinstance(private, ec.EllipticCurvePrivateKey):
        signatures.append(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    for tried in signatures:
        assert await forger.is_refused("at+jwt", f"{signed}.{b64(tried)}"), tried


async def test_the_key_of_a_token_s_header_is_the_attacker_s(
    forger: PairForger, algorithm: str
) -> None:
    header, claims = forger.parts("at+jwt")
    forger.key = read_key_pair(new_key_pair(algorithm))
    jwk = public_jwk(forger.key)
    extras: list[dict[str, Any]] = [{"jwk": jwk}, {"kid": jwk["kid"]}, {"x5c": []}, {"jku": "x"}]
    for extra in (*extras, {"jwk": jwk, "kid": jwk["kid"]}):
        assert await forger.is_refused("at+jwt", forger.sign({**header, **extra}, claims)), extra


async def test_two_pairs_do_not_stand_in_for_each_other(
    start: Start, pairs: dict[str, str]
) -> None:
    both = connect(await start(jwt_private_keys=f"{pairs['EdDSA']},{pairs['ES256']}"))
    account = await register(both)
    header, _, _ = account.access_token.split(".")
    claims = decoded(account.access_token.split(".")[1])
    assert decoded(header)["alg"] == "EdDSA"
    keys = {name: read_key_pair(entry) for name, entry in pairs.items()}
    for alg in keys:
        for named in keys.values():
            for signing in keys.values():
                head = {"alg": alg, "typ": "at+jwt", "kid": named.kid}
                signed = f"{b64(as_bytes(head))}.{b64(as_bytes(claims))}"
                signature = signing.method.sign(signed.encode(), signing.signs_with)
                answer = await both.get(
                    "/api/users/me", headers=bearer(f"{signed}.{b64(signature)}")
                )
                right = alg == named.algorithm == signing.algorithm
                assert answer.status_code == (200 if right else 401), (head, signing.algorithm)


async def test_the_secret_signs_access_tokens_only_where_it_is_named(
    start: Start, pair: str, key: Key, settings: Settings
) -> None:
    by_secret = connect(await start())
    account = await register(by_secret)
    assert decoded(account.access_token.split(".")[0])["alg"] == "HS256"

    moving = connect(await start(jwt_private_keys=f"{pair},JWT_SECRET"))
    assert await is_signed_in(moving, account)
    moved = connect(await start(jwt_private_keys=pair))
    assert not await is_signed_in(moved, account)
    renewed = await refresh(moved, account)
    assert decoded(renewed.access_token.split(".")[0])["kid"] == key.kid
    assert decoded(renewed.refresh_token.split(".")[0])["kid"] == key_id(
        settings.jwt_secret.get_secret_value()
    )
    back = connect(await start(jwt_private_keys=f"JWT_SECRET,{pair}"))
    assert await is_signed_in(back, renewed)
    returned = await refresh(back, renewed)
    assert decoded(returned.access_token.split(".")[0])["alg"] == "HS256"
    assert await is_signed_in(moving, returned), "so it comes before, on each host"
    assert not await is_signed_in(moved, returned)


async def test_a_staged_pair_verifies_and_does_not_sign(start: Start, pair: str, key: Key) -> None:
    staged = connect(await start(jwt_staged_private_key=pair))
    account = await register(staged)
    assert decoded(account.access_token.split(".")[0])["alg"] == "HS256"
    assert [k["kid"] for k in (await staged.get("/.well-known/jwks.json")).json()["keys"]] == [
        key.kid
    ]
    rotated = connect(await start(jwt_private_keys=f"{pair},JWT_SECRET"))
    assert await is_signed_in(staged, await refresh(rotated, account))


async def test_a_pair_signs_no_refresh_tokens(forger: PairForger) -> None:
    header, claims = forger.parts("rt+jwt")
    forger.typ = "at+jwt"
    for kid in (forger.key.kid, header["kid"]):
        forged = forger.sign({**header, "alg": forger.key.algorithm, "kid": kid}, claims)
        assert (await try_refresh(forger.client, forged)).status_code == 401
    assert await is_signed_in(forger.client, forger.account)
    assert await forger.is_refused("at+jwt", forger.account.refresh_token)
