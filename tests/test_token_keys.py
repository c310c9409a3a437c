"""`authkit token decode --key`: other people's tokens, verified with other people's keys."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from tests.token_cases import AT, SECRET, Answer, run, signed

CLAIMS = {"sub": "ada", "iat": AT - 60, "exp": AT + 60}
KEYS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "PS512": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ES256K": lambda: ec.generate_private_key(ec.SECP256K1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def public_pem(private: Any) -> bytes:
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert isinstance(pem, bytes)
    return pem


def private_pem(private: Any, password: bytes | None = None) -> bytes:
    protection = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )
    assert isinstance(pem, bytes)
    return pem


def certificate(private: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer.example.com")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365))
        .sign(private, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def jwk(private: Any, **more: str) -> dict[str, Any]:
    algorithm: Any = OKPAlgorithm
    if isinstance(private, rsa.RSAPrivateKey):
        algorithm = RSAAlgorithm
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        algorithm = ECAlgorithm
    return {**algorithm.to_jwk(private.public_key(), as_dict=True), **more}


def oct_jwk(secret: str, **more: str) -> dict[str, str]:
    return {"kty": "oct", "k": base64.urlsafe_b64encode(secret.encode()).decode(), **more}


class Desk:
    """A directory with a key in it, outside every project."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def key(self, content: bytes | str | dict[str, Any]) -> None:
        text = json.dumps(content) if isinstance(content, dict) else content
        (self.root / "key").write_bytes(text.encode() if isinstance(text, str) else text)

    def decode(self, token: str, *args: str, key: str = "@key") -> Answer:
        decoding = ("token", "decode", token, "--at", str(AT), "--key", key)
        return run(*decoding, *args, directory=self.root, SHARED="s" * 64)

    def codes(self, token: str) -> list[str]:
        return [finding["code"] for finding in self.decode(token, "--json").findings]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_public_key_verifies_its_algorithm(algorithm: str, desk: Desk) -> None:
    private = KEYS[algorithm]()
    token = jwt.encode(CLAIMS, private, algorithm)

    for form in (public_pem(private), {"keys": [jwk(private)]}, jwk(private)):
        desk.key(form)
        answer = desk.decode(token)
        assert (answer.code, answer.err) == (0, ""), form
        desk.key(public_pem(KEYS[algorithm]()))
        assert desk.codes(token)[0] == "signature"


def test_an_ed448_key_verifies(desk: Desk) -> None:
    private = ed448.Ed448PrivateKey.generate()
    desk.key(public_pem(private))

    assert desk.decode(jwt.encode(CLAIMS, private, "EdDSA")).code == 0


def test_a_certificate_or_the_private_key_will_do(desk: Desk) -> None:
    private = KEYS["ES256"]()
    token = jwt.encode(CLAIMS, private, "ES256", headers={"kid": "k"})

    desk.key(certificate(private))
    assert desk.codes(token) == []
    desk.key(private_pem(private))
    assert desk.codes(token) == ["weak-key"]
    assert "needs only the public one" in desk.decode(token).out


def test_a_short_rsa_key_is_weak(desk: Desk) -> None:
    private = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    desk.key(public_pem(private))

    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = jwt.encode(CLAIMS, private, "RS256")

    assert "1024 bits" in desk.decode(token).out


@pytest.mark.parametrize("bits", ["256", "384", "512"])
def test_a_shared_secret_verifies_hmac(bits: str, desk: Desk) -> None:
    token = jwt.encode(CLAIMS, "s" * 64, f"HS{bits}")
    desk.key("s" * 64 + "\n")  # as an editor ends a file

    assert desk.decode(token).code == 0
    assert desk.decode(token, key="env:SHARED").code == 0


def test_a_jwk_pins_its_algorithm(desk: Desk) -> None:
    token = jwt.encode(CLAIMS, "s" * 64, "HS512")

    desk.key(oct_jwk("s" * 64, alg="HS512"))
    assert desk.decode(token).code == 0
    desk.key(oct_jwk("s" * 64))
    assert desk.codes(token)[0] == "alg-refused"

    private = KEYS["RS256"]()
    desk.key(jwk(private, alg="RS256"))
    assert desk.codes(jwt.encode(CLAIMS, private, "PS256"))[0] == "alg-refused"


def test_a_public_key_is_no_shared_secret(desk: Desk) -> None:
    """Algorithm confusion (RFC 8725 §2.1): the attacker signs with what everybody knows."""
    pem = public_pem(KEYS["RS256"]())
    desk.key(pem)

    answer = desk.decode(signed(body=CLAIMS, secret=pem.decode()))

    assert answer.code == 5
    assert "algorithm confusion" in answer.out


def test_kid_picks_from_a_set_and_odd_entries_are_passed_over(desk: Desk) -> None:
    first, second = KEYS["ES256"](), KEYS["EdDSA"]()
    odd: list[Any] = [
        {"kty": "RSA"},
        {"kty": "RSA", "n": 7, "e": []},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "future"},
        {"kty": ["RSA"]},
        {"kty": "oct", "k": "!"},
        {"kty": "oct", "k": "é"},
        {"kty": "oct", "k": ""},
        {"kty": "oct", "k": "AAAA", "alg": "none"},
        jwk(first, kid="first", use="enc"),
        "no object",
        None,
    ]
    desk.key({"keys": [*odd, jwk(first, kid="first"), jwk(second, kid="second")]})

    def token(kid: str) -> str:
        return jwt.encode(CLAIMS, second, "EdDSA", headers={"kid": kid})

    assert desk.decode(token("second")).code == 0
    assert desk.codes(token("first")) == ["kid-wrong"]
    assert desk.codes(token("third")) == ["kid-unknown", "kid-wrong"]


def test_a_secret_that_the_issuer_decodes_first_is_recognised(desk: Desk) -> None:
    decoded = "the bytes behind a secret in base64 text"
    desk.key(base64.b64encode(decoded.encode()))

    answer = desk.decode(signed(body=CLAIMS, secret=decoded))

    assert answer.code == 5
    assert "it fits the base64-decoded secret" in answer.out


def test_a_key_replaces_the_project_s_rules(desk: Desk) -> None:
    (desk.root / ".copier-answers.yml").touch()
    (desk.root / ".env").write_text(f"JWT_SECRET={SECRET}\n")
    private = KEYS["EdDSA"]()
    desk.key(public_pem(private))

    assert desk.decode(jwt.encode(CLAIMS, private, "EdDSA")).code == 0


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no key that can be read"),
        ("-----BEGIN CERTIFICATE-----\n", "no key that can be read"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "no key that can be read"),
        (private_pem(KEYS["EdDSA"](), b"password"), "encrypted private key"),
        ("{", "is not JSON"),
        ('{"keys": 1}', "is not a list"),
        ('{"keys": []}', "no key that verifies tokens"),
        ('{"kty": "RSA"}', "no key that verifies tokens"),
        ('{"a":' * 100_000, "is not JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_holds_no_key_is_a_usage_error(
    content: str | bytes, complaint: str, desk: Desk
) -> None:
    desk.key(content)

    answer = desk.decode(signed())

    assert answer.code == 2
    assert complaint in answer.err


@pytest.mark.parametrize("source", ["@missing", "@.", "@\0", "env:MISSING", "secret", ""])
def test_a_key_that_is_not_there_is_a_usage_error(source: str, desk: Desk) -> None:
    assert desk.decode(signed(), key=source).code == 2
