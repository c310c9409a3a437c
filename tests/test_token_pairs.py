"""`authkit token decode` in a project with key pairs, and keys that come from an address."""

import base64
import hashlib
import hmac
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from tests.token_cases import (
    AT,
    ENV,
    FOREIGN,
    SECRET,
    claims,
    encode,
    header,
    key_id,
    make_project,
    run,
    signed,
)

from authkit.tokens.claims import KINDS

PAIRS: dict[str, Any] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
}
OTHER = "the-secret-that-will-sign-one-day-and-not-yet"


def jwk(algorithm: str) -> dict[str, str]:
    method = OKPAlgorithm if algorithm == "EdDSA" else ECAlgorithm
    members: Any = method.to_jwk(PAIRS[algorithm].public_key(), as_dict=True)
    kept = {name: members[name] for name in ("crv", "kty", "x", "y") if name in members}
    text = json.dumps(kept, separators=(",", ":"), sort_keys=True).encode()
    kid = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
    return {**kept, "kid": kid, "alg": algorithm}


def pem(algorithm: str) -> str:
    text = PAIRS[algorithm].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return str(text.decode())


def spki(encoding: Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(PAIRS["EdDSA"].public_key().public_bytes(encoding, form))


PEM = spki(serialization.Encoding.PEM)


def token(algorithm: str, **changes: Any) -> str:
    head = {"typ": "at+jwt", "kid": jwk(algorithm)["kid"], **changes}
    return jwt.encode(claims(), PAIRS[algorithm], algorithm, headers=head)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """EdDSA signs, from a file; ES256 is staged; the secret signs refresh tokens alone."""
    root = make_project(tmp_path / "myapi")
    (root / "key.pem").write_text(pem("EdDSA"))
    (root / ".copier-answers.yml").write_text("_commit: v0.7.0\nparts: [jwks]\n")
    one_line = pem("ES256").replace("\n", "")
    (root / ".env").write_text(
        f"{ENV}JWT_PRIVATE_KEYS=key.pem\nJWT_STAGED_PRIVATE_KEY={one_line}\n"
        f"JWT_STAGED_SECRET={OTHER}\nJWT_KEY_DATES={key_id(FOREIGN)}@2026-01-30T12:00:00Z\n"
    )
    return root


def decode(directory: Path, text: str, *args: str) -> Any:
    return run(
        "token",
        "decode",
        "--at",
        str(AT),
        "--json",
        *args,
        directory=directory,
        stdin=text.encode(),
    )


@pytest.mark.parametrize(
    ("algorithm", "name"), [("EdDSA", "JWT_PRIVATE_KEYS"), ("ES256", "JWT_STAGED_PRIVATE_KEY")]
)
def test_the_keys_of_a_project_are_known_by_name(project: Path, algorithm: str, name: str) -> None:
    answer = decode(project, token(algorithm))
    assert (answer.code, answer.report["key"]) == (0, name)
    assert answer.report["keyId"] == jwk(algorithm)["kid"]


def test_each_kind_of_token_has_its_keys(project: Path) -> None:
    """As the project itself refuses them."""
    access = decode(project, signed())
    assert (access.code, access.report["verdict"]) == (5, "INVALID")
    refresh = decode(project, signed(header(typ="rt+jwt")))
    assert (refresh.code, refresh.report["key"]) == (0, "JWT_SECRET")
    by_pair = decode(project, token("EdDSA", typ="rt+jwt"))
    assert by_pair.code == 5
    staged = signed(header(typ="rt+jwt", kid=key_id(OTHER)), secret=OTHER)
    assert decode(project, staged).report["key"] == "JWT_STAGED_SECRET"


def test_a_retired_key_is_known_by_its_id(project: Path) -> None:
    gone = decode(project, signed(header(typ="rt+jwt", kid=key_id(FOREIGN)), secret=FOREIGN))
    assert gone.code == 5
    [reason] = [reason for reason in gone.report["reasons"] if reason["code"] == "kid-retired"]
    assert "was retired or removed, at 2026-01-30T12:00:00Z or by hand since" in reason["message"]


def test_a_key_of_another_kind_of_token_is_not_a_retired_one(project: Path) -> None:
    """The dates hold living keys too, and since when those are what they are."""
    kids = (key_id(SECRET), key_id(OTHER), jwk("EdDSA")["kid"], jwk("ES256")["kid"])
    dates = ",".join(f"{kid}@2026-01-30T12:00:00Z" for kid in kids)
    text = (project / ".env").read_text().partition("JWT_KEY_DATES")[0]
    (project / ".env").write_text(f"{text}JWT_KEY_DATES={dates}\n")
    for other, name in (
        (signed(), "JWT_SECRET"),
        (signed(header(kid=key_id(OTHER)), secret=OTHER), "JWT_STAGED_SECRET"),
        (token("EdDSA", typ="rt+jwt"), "JWT_PRIVATE_KEYS"),
    ):
        reasons = {reason["code"]: reason for reason in decode(project, other).report["reasons"]}
        assert "kid-retired" not in reasons
        assert f"({name}) is not for tokens of this typ" in reasons["kid-other-typ"]["message"]


def test_without_the_part_its_settings_count_no_more(project: Path) -> None:
    """The project reads none of them then."""
    (project / ".copier-answers.yml").write_text("_commit: v0.7.0\nparts: [tokens]\n")
    assert decode(project, signed()).report["key"] == "JWT_SECRET"
    assert decode(project, token("EdDSA")).code == 5


def test_names_of_settings_count_in_any_case(project: Path) -> None:
    text = (project / ".env").read_text()
    (project / ".env").write_text(text.replace("JWT_PRIVATE", "jwt_private"))
    assert decode(project, token("EdDSA")).report["key"] == "JWT_PRIVATE_KEYS"


def test_the_token_of_a_mailed_link_is_known(project: Path) -> None:
    link = decode(project, signed(header(typ="ec+jwt"), claims(email="ada@example.com", state="x")))
    assert (link.code, link.report["kind"]) == (0, "e-mail change token")
    assert link.report["key"] == "JWT_SECRET", "refresh tokens have the same keys"
    assert "email-change-token" in {finding["code"] for finding in link.findings}


def test_every_kind_of_token_of_the_template_is_known() -> None:
    source = Path(__file__).parents[1] / "template/app/accounts/tokens.py"
    assert set(re.findall(r'"(\w+\+jwt)"', source.read_text())) == KINDS.keys()


def test_a_pipe_as_key_file_keeps_nobody_waiting(project: Path) -> None:
    (project / "key.pem").unlink()
    os.mkfifo(project / "key.pem")
    answer = decode(project, token("EdDSA"))
    assert answer.code == 2
    assert "a file of JWT_PRIVATE_KEYS can't be read" in answer.err


def test_the_secret_named_among_the_pairs_verifies_access_tokens(project: Path) -> None:
    (project / ".env").write_text(f"{ENV}JWT_PRIVATE_KEYS=key.pem,JWT_SECRET\n")
    assert decode(project, signed()).report["key"] == "JWT_SECRET"
    assert decode(project, token("EdDSA")).code == 0


def test_a_public_key_is_no_secret(project: Path) -> None:
    """HS256 with what everybody may know."""
    head = header(kid=jwk("EdDSA")["kid"])
    for secret in (jwk("EdDSA")["x"], json.dumps(jwk("EdDSA"))):
        assert decode(project, signed(head, secret=secret)).code == 5


def test_a_key_is_the_same_however_it_is_spelled(project: Path) -> None:
    """As the project reads it."""
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    public = PEM.decode()
    for text in (parameters + pem("EdDSA"), public + pem("EdDSA"), pem("EdDSA") + public):
        for line_break in ("\n", "\r\n"):
            (project / "key.pem").write_bytes(text.replace("\n", line_break).encode())
            assert decode(project, token("EdDSA")).code == 0
    for line_break in ("", "\\n", "\\r\\n"):
        value = pem("EdDSA").replace("\n", line_break)
        (project / ".env").write_text(f"{ENV}JWT_PRIVATE_KEYS={value}\n")
        assert decode(project, token("EdDSA")).code == 0


@pytest.mark.parametrize(
    "value",
    [
        "nowhere.pem",
        "-----BEGIN PRIVATE KEY-----AA-----END PRIVATE KEY-----",
        (pem("EdDSA") + pem("ES256")).replace("\n", ""),
    ],
    ids=["nowhere", "broken", "two"],
)
def test_a_key_that_can_not_be_read_is_one_sentence(project: Path, value: str) -> None:
    (project / ".env").write_text(f"{ENV}JWT_PRIVATE_KEYS={value}\n")
    answer = decode(project, token("EdDSA"))
    assert answer.code == 2
    assert "JWT_PRIVATE_KEYS" in answer.err
    assert value not in answer.err


@contextmanager
def answering(body: bytes, status: int = 200, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server on this host, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/keys?v=1", asked
        finally:
            server.shutdown()
            thread.join()


KEYS = json.dumps({"keys": [jwk("EdDSA"), jwk("ES256")]}).encode()


@pytest.mark.parametrize("algorithm", PAIRS)
def test_keys_come_from_an_address(tmp_path: Path, algorithm: str) -> None:
    """Outside a project too: --online is then meant for the address."""
    with answering(KEYS) as (url, asked):
        answer = decode(tmp_path, token(algorithm), "--online", "--key", url)
    assert (answer.code, answer.report["keyId"]) == (0, jwk(algorithm)["kid"])
    assert asked == ["/keys?v=1"]


def test_no_address_is_asked_unless_it_is_allowed(tmp_path: Path) -> None:
    with answering(KEYS) as (url, asked):
        answer = decode(tmp_path, token("EdDSA"), "--key", url)
    assert (answer.code, asked) == (2, [])
    assert "only with --online" in answer.err


def test_the_token_names_no_address(tmp_path: Path, project: Path) -> None:
    with answering(KEYS) as (url, asked):
        decode(project, token("EdDSA", jku=url, x5u=url))
        decode(tmp_path, token("EdDSA", jku=url), "--online", "--key", f"{url}2")
    assert asked == ["/keys?v=12"]


@pytest.mark.parametrize("key", ["address", "file"])
def test_no_database_is_asked_about_a_stranger_s_token(project: Path, key: str) -> None:
    (project / "keys.json").write_bytes(KEYS)
    with (
        answering(KEYS) as (url, _),
        mock.patch("authkit.project.project.Project.manage", side_effect=AssertionError),
    ):
        source = url if key == "address" else "@keys.json"
        answer = decode(project, token("EdDSA"), "--online", "--key", source)
    assert (answer.code, answer.report["verdict"]) == (0, "VERIFIED")
    assert ("no database is asked" in answer.err) == (key == "file")


OCT = {"kty": "oct", "k": encode(SECRET.encode()), "alg": "HS256"}


@pytest.mark.parametrize("body", [json.dumps(jwk("EdDSA")).encode(), PEM], ids=["a JWK", "PEM"])
def test_an_address_may_give_one_key(tmp_path: Path, body: bytes) -> None:
    with answering(body) as (url, _):
        answer = decode(tmp_path, token("EdDSA"), "--online", "--key", url)
    assert answer.code == 0


@pytest.mark.parametrize(
    "body",
    [
        SECRET.encode(),
        b"<!DOCTYPE html><html>not found</html>",
        b"not found",
        spki(serialization.Encoding.DER),
        json.dumps([jwk("EdDSA")]).encode(),
        json.dumps({"keys": [OCT]}).encode(),
        json.dumps(OCT).encode(),
        b'"a text"',
        b"",
    ],
    ids=lambda body: str(body[:12]),
)
def test_no_address_gives_a_secret(tmp_path: Path, body: bytes) -> None:
    """What everybody can fetch, everybody can sign with."""
    parts = [encode({"alg": "HS256", "typ": "JWT"}), encode(claims())]
    secret = SECRET.encode() if body.startswith(b"{") else body.strip()
    signature = hmac.digest(secret, ".".join(parts).encode(), "sha256")
    forged = ".".join([*parts, encode(signature)])
    with answering(body) as (url, _):
        answer = decode(tmp_path, forged, "--online", "--key", url)
    assert answer.code == 2
    assert "Traceback" not in answer.err


def test_no_redirect_is_followed(tmp_path: Path) -> None:
    with (
        answering(KEYS) as (there, asked),
        answering(b"", 302, Location=there) as (here, _),
    ):
        answer = decode(tmp_path, token("EdDSA"), "--online", "--key", here)
    assert (answer.code, asked) == (1, [])
    assert "answers 302" in answer.err


def test_an_answer_has_a_size(tmp_path: Path) -> None:
    with answering(b"x" * (2 * 1024 * 1024)) as (url, _):
        answer = decode(tmp_path, token("EdDSA"), "--online", "--key", url)
    assert answer.code == 1
    assert "more than 1,048,576 bytes" in answer.err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://idp.example.com/keys", "without TLS"),
        ("https://", "not an address"),
        ("https://user:word@idp.example.com/keys", "not an address"),
        ("https://idp.example.com:port/keys", "not an address"),
    ],
)
def test_an_address_that_can_not_be_trusted_is_not_asked(
    tmp_path: Path, url: str, said: str
) -> None:
    answer = decode(tmp_path, token("EdDSA"), "--online", "--key", url)
    assert answer.code == 2
    assert said in answer.err


def test_who_does_not_answer_is_named(tmp_path: Path) -> None:
    with answering(KEYS) as (url, _):
        pass
    answer = decode(tmp_path, token("EdDSA"), "--online", "--key", url)
    assert answer.code == 1
    assert "127.0.0.1 can't be asked" in answer.err
    assert SECRET not in answer.err


def test_an_address_has_a_time_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing has been sent yet: a name is looked up for as long as others like."""
    over = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        over.wait(20)
        raise OSError("nobody is called that")

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    monkeypatch.setattr("authkit.commands.token.fetch.ALL_SECONDS", 0.1)
    url = "https://idp.example.com/keys"
    answer = decode(tmp_path, token("EdDSA"), "--online", "--key", url)
    over.set()
    assert answer.code == 1
    assert "idp.example.com can't be asked: no answer in time" in answer.err


def test_of_a_private_jwk_only_the_public_half_is_read(tmp_path: Path) -> None:
    """A set may come from anybody, and deriving what is missing of a private key takes time."""
    for algorithm in PAIRS:
        body = json.dumps({**jwk(algorithm), "d": "no key"}).encode()
        with answering(body) as (url, _):
            answer = decode(tmp_path, token(algorithm), "--online", "--key", url)
        assert (answer.code, answer.report["keyId"]) == (0, jwk(algorithm)["kid"])
