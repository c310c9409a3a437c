"""Tokens under attack: whatever is done to one, the answer is 401, never 500 (RFC 8725)."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeAlias
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import HMACAlgorithm

from app.accounts.key_rings import key_id
from app.accounts.tokens import InvalidToken, TokenType
from app.config import Settings
from tests.helpers import (
    ROOT,
    Account,
    bearer,
    connect,
    error_code,
    is_signed_in,
    refresh,
    register,
    sign_in,
    signer_with,
    try_refresh,
)

Json: TypeAlias = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(part: str) -> Json:
    read: Json = json.loads(base64.urlsafe_b64decode(part + "=="))
    return read


class Forger:
    """An attacker who even knows the secret, so that only the rule under test can refuse."""

    def __init__(self, client: httpx.AsyncClient, account: Account, secret: str) -> None:
        self.client = client
        self.account = account
        self.secret = secret.encode()

    def parts(self, typ: str) -> tuple[Json, Json]:
        """Header and claims of a token that works."""
        tokens = {"at+jwt": self.account.access_token, "rt+jwt": self.account.refresh_token}
        header, claims, _ = tokens[typ].split(".")
        return decoded(header), decoded(claims)

    def sign(self, header: Any, claims: Any, digest: Any = hashlib.sha256) -> str:
        signed = f"{b64(as_bytes(header))}.{b64(as_bytes(claims))}"
        return f"{signed}.{b64(hmac.digest(self.secret, signed.encode(), digest))}"

    async def present(self, typ: str, token: str) -> httpx.Response:
        if typ == "rt+jwt":
            return await try_refresh(self.client, token)
        headers = [(b"Authorization", b"Bearer " + token.encode())]
        return await self.client.get("/api/users/me", headers=headers)

    async def is_refused(self, typ: str, token: str) -> bool:
        response = await self.present(typ, token)
        if response.status_code == 200:
            return False
        if typ == "rt+jwt":
            # A token that was believed, but is not the current one, would have ended the session.
            assert await is_signed_in(self.client, self.account)
        assert (response.status_code, error_code(response)) == (401, "invalid_token")
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        return True


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


@pytest.fixture
def forger(client: httpx.AsyncClient, ada: Account, settings: Settings) -> Forger:
    return Forger(client, ada, settings.jwt_secret.get_secret_value())


both = pytest.mark.parametrize("typ", ["at+jwt", "rt+jwt"])


@both
async def test_the_forger_knows_the_trade(forger: Forger, typ: str) -> None:
    """Otherwise the tests below would prove nothing."""
    assert not await forger.is_refused(typ, forger.sign(*forger.parts(typ)))


NO_ALGORITHMS: tuple[Any, ...] = ("none", "None", "NONE", "nOnE", "", None, 0, [], {})


@both
async def test_no_signature_is_no_token(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    for alg in NO_ALGORITHMS:
        signed = forger.sign({**header, "alg": alg}, claims)
        assert await forger.is_refused(typ, signed), alg
        assert await forger.is_refused(typ, signed.rpartition(".")[0] + "."), alg
        assert await forger.is_refused(typ, signed.rpartition(".")[0]), alg


OTHER_ALGORITHMS: tuple[tuple[object, Any], ...] = (
    ("HS384", hashlib.sha384),
    ("HS512", hashlib.sha512),
    ("RS256", hashlib.sha256),
    ("ES256", hashlib.sha256),
    ("EdDSA", hashlib.sha256),
    ("hs256", hashlib.sha256),
    ("HS256 ", hashlib.sha256),
    (["HS256"], hashlib.sha256),
)


@both
async def test_the_algorithm_is_pinned(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    for alg, digest in OTHER_ALGORITHMS:
        forged = forger.sign({**header, "alg": alg}, claims, digest)
        assert await forger.is_refused(typ, forged), alg


OTHER_HEADERS: list[Json] = [
    {"jwk": {"kty": "oct", "k": "eA"}},
    {"jku": "https://attacker.example/keys.json"},
    {"x5u": "https://attacker.example/cert.pem"},
    {"x5c": ["MIIB"]},
    {"crit": ["exp"], "exp": 9_999_999_999},
    {"crit": []},
    {"b64": False},
    {"zip": "DEF"},
    {"cty": "JWT"},
]


@both
async def test_no_other_header_is_read(forger: Forger, typ: str) -> None:
    """RFC 8725 §3.10: a key, or the address of one, in a token is the attacker's."""
    header, claims = forger.parts(typ)
    for extra in OTHER_HEADERS:
        assert await forger.is_refused(typ, forger.sign({**header, **extra}, claims)), extra


KIDS = [
    "../../../../dev/null",
    "' UNION SELECT 'x' --",
    "x" * 10_240,
    "\x00",
    "",
    7,
    1e308,
    None,
    True,
    [],
    ["x"],
    {},
]


@both
async def test_a_hostile_kid_finds_no_key(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    for kid in KIDS:
        assert await forger.is_refused(typ, forger.sign({**header, "kid": kid}, claims)), kid


@both
async def test_no_header_can_be_left_out(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    for left_out in header:
        others = {name: value for name, value in header.items() if name != left_out}
        assert await forger.is_refused(typ, forger.sign(others, claims)), left_out


@both
async def test_the_type_is_exact(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    for other in ("JWT", "jwt", "at+JWT", "", None, 7, [], ["at+jwt", "rt+jwt"]):
        assert await forger.is_refused(typ, forger.sign({**header, "typ": other}, claims)), other


async def test_neither_kind_works_in_the_place_of_the_other(forger: Forger) -> None:
    """RFC 8725 §3.11."""
    account = forger.account
    assert await forger.is_refused("at+jwt", account.refresh_token)
    assert await forger.is_refused("rt+jwt", account.access_token)
    # Nor what was good as what it is a moment ago.
    assert await is_signed_in(forger.client, account)
    assert await forger.is_refused("rt+jwt", account.access_token)
    await refresh(forger.client, account)
    assert await forger.is_refused("at+jwt", account.refresh_token)
    # Still, the type alone is what tells them apart.
    header, claims = forger.parts("rt+jwt")
    assert not await forger.is_refused("at+jwt", forger.sign({**header, "typ": "at+jwt"}, claims))


CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "exp")

MISTYPED: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    "x",
    "null",
    0,
    -1,
    7,
    1.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    1e300,
    10**400,
    -(10**400),
    [],
    ["app"],
    {},
    "\x00",
    "9" * 4000,
    "../../etc/passwd",
    "' OR 1=1 --",
)


@both
@pytest.mark.parametrize("name", CLAIMS)
async def test_every_claim_is_required_and_of_its_type(forger: Forger, typ: str, name: str) -> None:
    header, claims = forger.parts(typ)
    for value in MISTYPED:
        forged = forger.sign(header, {**claims, name: value})
        # A moment of issue in the past is none that would have to be refused.
        if name == "iat" and type(value) is int and value in {0, 7}:
            continue
        assert await forger.is_refused(typ, forged), value
    del claims[name]
    assert await forger.is_refused(typ, forger.sign(header, claims))


@both
@pytest.mark.parametrize("name", ["iat", "exp"])
async def test_a_time_is_a_whole_number(forger: Forger, typ: str, name: str) -> None:
    header, claims = forger.parts(typ)
    for value in (str(claims[name]), float(claims[name]), claims[name] + 0.5, [claims[name]]):
        assert await forger.is_refused(typ, forger.sign(header, {**claims, name: value})), value


@both
async def test_a_token_is_for_us_and_by_us(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    for changes in (
        {"iss": "https://attacker.example"},
        {"aud": "another-api"},
        {"aud": [claims["aud"]]},
        {"aud": [claims["aud"], "another-api"]},
        {"iss": [claims["iss"]]},
        {"sub": str(uuid4())},
        {"sid": str(uuid4())},
        {"sub": claims["sub"].upper() + " "},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
    ):
        assert await forger.is_refused(typ, forger.sign(header, {**claims, **changes})), changes


@both
async def test_a_token_expires_with_little_leeway(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    expired = int(time.time()) - 31
    ages = {"iat": expired - 60, "exp": expired}  # issued before, or that alone would be refused

    assert await forger.is_refused(typ, forger.sign(header, {**claims, **ages}))


async def test_a_token_that_was_verified_before_expires_all_the_same(
    forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered of it is everything but the time."""
    token = forger.account.access_token
    real = datetime

    def let(**passed: int) -> None:
        class Later(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return real.now(tz) + timedelta(**passed)

        monkeypatch.setattr("app.accounts.tokens.datetime", Later)

    for minutes in (0, 14):
        let(minutes=minutes)
        assert not await forger.is_refused("at+jwt", token)
    let(minutes=15, seconds=5)
    assert await forger.is_refused("at+jwt", token)


async def test_hosts_whose_clocks_differ_by_a_little_agree(forger: Forger) -> None:
    header, claims = forger.parts("at+jwt")
    now = int(time.time())
    for ages in ({"iat": now - 60, "exp": now - 1}, {"iat": now + 2}, {"iat": now, "exp": now}):
        assert not await forger.is_refused("at+jwt", forger.sign(header, {**claims, **ages})), ages


@both
async def test_a_token_far_in_the_future_does_not_outlive_its_session(
    forger: Forger, typ: str
) -> None:
    """Dates beyond what the platform can hold are refused, not crashed over."""
    header, claims = forger.parts(typ)
    for exp in (10**11 * 3, 2**63, 2**64, 10**18):
        assert await forger.is_refused(typ, forger.sign(header, {**claims, "exp": exp}))


LAST_SECOND = 253_402_300_799
"""Of the year 9999."""


async def test_a_token_may_expire_with_the_last_second_that_a_date_can_hold(
    forger: Forger,
) -> None:
    header, claims = forger.parts("at+jwt")
    for exp in (LAST_SECOND - 5, LAST_SECOND - 4, LAST_SECOND):
        assert not await forger.is_refused("at+jwt", forger.sign(header, {**claims, "exp": exp}))


@both
async def test_claims_are_an_object(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    for payload in (b"", b"null", b"[]", b"7", b'"x"', b"{", b"\xff", b"[" * 1000, b"{}", b"NaN"):
        assert await forger.is_refused(typ, forger.sign(header, payload)), payload
        assert await forger.is_refused(typ, forger.sign(payload, claims)), payload


@both
async def test_a_signature_counts_to_its_last_character(forger: Forger, typ: str) -> None:
    token = forger.sign(*forger.parts(typ))
    for spoilt in (
        token + "=",
        token + "==",
        token + "A",
        token + ".",
        token[:-1],
        token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
        "." + token,
        token.replace(".", "..", 1),
        token.replace(".", ".\n"),
        token + "\x00",
        token + "é",
    ):
        assert await forger.is_refused(typ, spoilt), spoilt


@both
async def test_a_changed_payload_needs_a_new_signature(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)
    genuine = forger.sign(header, claims)
    for name in CLAIMS:
        changed = {**claims, name: str(uuid4())}
        signature = genuine.rpartition(".")[2]
        assert await forger.is_refused(
            typ, f"{b64(as_bytes(header))}.{b64(as_bytes(changed))}.{signature}"
        )


@both
async def test_a_secret_of_somebody_else_signs_nothing(forger: Forger, typ: str) -> None:
    parts = forger.parts(typ)
    for secret in (b"", b"x", b"secret", b"change-me-to-32-or-more-random-bytes"):
        forger.secret = secret
        assert await forger.is_refused(typ, forger.sign(*parts))


@both
async def test_a_token_has_a_length(forger: Forger, typ: str) -> None:
    header, claims = forger.parts(typ)

    assert await forger.is_refused(typ, forger.sign(header, {**claims, "x": "x" * 3000}))


SIGNER = signer_with("s" * 32)


@given(st.text() | st.lists(st.text(), min_size=3, max_size=3).map(".".join))
def test_no_text_crashes_the_reader(text: str) -> None:
    for typ in TokenType:
        with pytest.raises(InvalidToken):
            SIGNER.read(text, typ)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_header_and_no_payload_crashes_the_reader(value: Any) -> None:
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key_id("s" * 32)}
    tries: list[tuple[Any, Any]] = [(header, value), (value, {}), ({**header, "kid": value}, {})]
    for parts in tries:
        signed = ".".join(b64(json.dumps(part).encode()) for part in parts)
        signature = hmac.digest(b"s" * 32, signed.encode(), "sha256")
        with pytest.raises(InvalidToken):
            SIGNER.read(f"{signed}.{b64(signature)}", TokenType.ACCESS)


async def test_a_token_tells_nothing_about_a_person(forger: Forger, settings: Settings) -> None:
    secret = settings.jwt_secret.get_secret_value()
    for typ in ("at+jwt", "rt+jwt"):
        header, claims = forger.parts(typ)
        assert header == {"alg": "HS256", "typ": typ, "kid": key_id(secret)}
        assert claims.keys() == set(CLAIMS)
        assert claims["sub"] == forger.account.id
    _, access = forger.parts("at+jwt")
    _, refreshing = forger.parts("rt+jwt")
    assert access["exp"] - access["iat"] == 15 * 60
    assert abs(refreshing["exp"] - refreshing["iat"] - 7 * 86400) <= 1
    assert access["sid"] == refreshing["sid"]
    assert access["jti"] != refreshing["jti"]


async def test_two_logins_in_one_second_give_different_tokens(client: httpx.AsyncClient) -> None:
    devices = [await register(client), *[await sign_in(client) for _ in range(3)]]

    assert len({d.access_token for d in devices} | {d.refresh_token for d in devices}) == 8


def test_the_algorithms_of_others_are_left_alone() -> None:
    """PyJWT's functions share one registry: what is replaced there, other libraries meet too."""
    script = (
        "from jwt.api_jws import _jws_global_obj as shared; before = dict(shared._algorithms); "
        "import app.main; assert shared._algorithms == before"
    )
    environment = {**os.environ, "ENVIRONMENT": "test", "JWT_SECRET": "a-secret-that-no-test-uses"}
    command = [sys.executable, "-c", script]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)  # noqa: S603


async def test_a_secret_is_prepared_once(
    client: httpx.AsyncClient, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyJWT would look at it again at each signature."""
    prepared: list[object] = []
    prepare = HMACAlgorithm.prepare_key

    def spy(self: HMACAlgorithm, key: str | bytes) -> bytes:
        prepared.append(key)
        return prepare(self, key)

    monkeypatch.setattr(HMACAlgorithm, "prepare_key", spy)

    await refresh(client, await refresh(client, ada))

    assert prepared == []


def test_a_key_id_tells_nothing_of_its_secret() -> None:
    assert key_id("a secret") == hashlib.sha256(b"kid:a secret").hexdigest()[:16]


async def test_an_earlier_secret_verifies_until_it_is_removed(
    start: Callable[..., Any], app: FastAPI, ada: Account, settings: Settings
) -> None:
    old, new = settings.jwt_secret.get_secret_value(), "n" * 40
    rotated = connect(await start(jwt_secret=new, jwt_previous_secrets=f"{'o' * 40}, {old}"))
    assert await is_signed_in(rotated, ada)
    renewed = await refresh(rotated, ada)
    assert decoded(renewed.access_token.split(".")[0])["kid"] == key_id(new)
    assert decoded(renewed.refresh_token.split(".")[0])["kid"] == key_id(new)

    removed = connect(await start(jwt_secret=new))
    assert not await is_signed_in(removed, ada)
    assert (await try_refresh(removed, ada.refresh_token)).status_code == 401
    assert await is_signed_in(removed, await refresh(removed, renewed))
    # The old server knows nothing of the new secret.
    assert not await is_signed_in(connect(app), renewed)


async def test_a_staged_secret_verifies_and_does_not_sign(
    start: Callable[..., Any], app: FastAPI, ada: Account, settings: Settings
) -> None:
    """So a host that was restarted and one that was not agree, whichever of them answers."""
    old, new = settings.jwt_secret.get_secret_value(), "n" * 40
    staged = connect(await start(jwt_staged_secret=new))
    here = await refresh(staged, ada)
    assert await is_signed_in(connect(app), here), "it signs with the old one"

    rotated = connect(await start(jwt_secret=new, jwt_previous_secrets=old))
    there = await refresh(rotated, here)
    assert decoded(there.access_token.split(".")[0])["kid"] == key_id(new)
    assert await is_signed_in(staged, there)
    assert await is_signed_in(rotated, await refresh(staged, there))


async def test_a_line_break_after_the_secret_signs_nobody_out(
    start: Callable[..., Any], app: FastAPI, ada: Account, settings: Settings
) -> None:
    """`echo` adds one, to the secret and later to the list of earlier ones."""
    secret = settings.jwt_secret.get_secret_value()
    with_break = connect(await start(jwt_secret=f"{secret}\n"))
    assert await is_signed_in(with_break, ada)
    renewed = await refresh(with_break, ada)
    assert await is_signed_in(connect(app), renewed), "on a host without the break too"

    rotated = connect(await start(jwt_secret="n" * 40, jwt_previous_secrets=f"{secret}\n"))
    assert await is_signed_in(rotated, renewed)
    assert await is_signed_in(rotated, await refresh(rotated, renewed))


async def test_another_issuer_or_audience_signs_everybody_out(
    start: Callable[..., Any], ada: Account
) -> None:
    for name in ("jwt_issuer", "jwt_audience"):
        other = connect(await start(**{name: "another"}))
        response = await other.get("/api/users/me", headers=bearer(ada.access_token))
        assert (response.status_code, error_code(response)) == (401, "invalid_token")
