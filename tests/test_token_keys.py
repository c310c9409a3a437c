"""`authkit token decode --key`: other people's tokens, verified with other people's keys."""

import base64
import hmac
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
from tests.token_cases import AT, SECRET, Answer, encode, run, signed

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


def ssh(private: Any) -> bytes:
    text = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return bytes(text)


def der(private: Any) -> bytes:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(private.public_key().public_bytes(serialization.Encoding.DER, spki))


def der_certificate(private: Any) -> bytes:
    read = x509.load_pem_x509_certificate(certificate(private))
    return read.public_bytes(serialization.Encoding.DER)


def body_of(pem: bytes) -> bytes:
    """A PEM without its frame, as some consoles show a key."""
    return b"\n".join(pem.splitlines()[1:-1])


PAGE = b"<!DOCTYPE html><html><head><title>Not found</title></head></html>"
ED25519, RSA, P256 = KEYS["EdDSA"](), KEYS["RS256"](), KEYS["ES256"]()
NOT_SECRETS: dict[str, bytes] = {
    "ssh-ed25519": ssh(ED25519),
    "ssh-rsa, with a comment": ssh(RSA) + b" ada@example.com\n",
    "ecdsa-sha2, among known hosts": b"git.example.com " + ssh(P256),
    "SSH, without the type": ssh(RSA).split()[1],
    "DER, Ed25519": der(ED25519),
    "DER, RSA": der(RSA),
    "DER, P-256, and a line break": der(P256) + b"\n",
    "DER, a certificate": der_certificate(RSA),
    "DER in base64": base64.b64encode(der(RSA)),
    "PEM without its frame": body_of(public_pem(RSA)),
    "PEM of SSH2": b"---- BEGIN SSH2 PUBLIC KEY ----\n" + ssh(RSA).split()[1] + b"\n---- END",
    "a list of JWKs": json.dumps([jwk(ED25519)]).encode(),
    "a list of JWKs, over lines": json.dumps([jwk(ED25519)], indent=2).encode(),
    "a set behind a name": b"keys = " + json.dumps({"keys": [jwk(ED25519)]}).encode(),
    "JSON of something else": b'{"error": "not found"}',
    "an empty list": b"[]",
    "a page": PAGE,
    "a page, after a blank line": b"\n" + PAGE.lower(),
    "XML": b'<?xml version="1.0"?><RSAKeyValue><Modulus>AQAB</Modulus></RSAKeyValue>',
    "PuTTY": b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
}
"""What everybody may know, and could therefore sign with."""


@pytest.mark.parametrize("text", NOT_SECRETS.values(), ids=NOT_SECRETS)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
def test_what_everybody_may_know_is_no_shared_secret(text: bytes, mark: bytes, desk: Desk) -> None:
    desk.key(mark + text)
    for known in (text, text.strip(), mark + text):
        answer = desk.decode(jwt_of(known))
        assert answer.code == 2
        assert answer.err.count("\n") <= 2
        assert "hint: " in answer.err


def jwt_of(secret: bytes) -> str:
    """What somebody signed with HS256 who knows these bytes; PyJWT would refuse some."""
    parts = [encode({"alg": "HS256"}), encode(CLAIMS)]
    signature = hmac.digest(secret, ".".join(parts).encode(), "sha256")
    return ".".join([*parts, encode(signature)])


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize(
    "spell",
    [
        lambda pem: b"# the key of the issuer\n" + pem,
        lambda pem: b"\xef\xbb\xbf" + pem,
        lambda pem: pem.decode().encode("utf-16"),
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: b"\n\n  " + pem,
    ],
    ids=["a comment", "a mark", "UTF-16", "CR/LF", "blanks"],
)
def test_pem_is_pem_whatever_stands_around_it(algorithm: str, spell: Any, desk: Desk) -> None:
    private = KEYS[algorithm]()
    text = spell(public_pem(private))
    desk.key(text)
    assert desk.decode(jwt.encode(CLAIMS, private, algorithm)).code == 0
    for known in (text, public_pem(private)):
        assert desk.codes(jwt_of(known))[0] == "alg-refused"


SECRETS = [
    b"s" * 32,
    b"0" * 64,
    b"000" + b"1" * 47,
    base64.b64encode(bytes(range(48))),
    b"[not a list] but a sentence of some length",
    b"<angle> brackets and ssh-keys in a sentence",
    b"correct horse battery staple ssh-agent",
    b"123456789012345678901234567890123456789",
    b'"quoted, as somebody wrote it in a file"',
    bytes(range(200, 248)),
    "ein Geheimnis mit Umlauten: äöüß".encode(),
]


@pytest.mark.parametrize("secret", SECRETS, ids=repr)
def test_a_plain_secret_is_one_however_it_looks(secret: bytes, desk: Desk) -> None:
    for written in (secret, secret + b"\n", b"\xef\xbb\xbf" + secret):
        desk.key(written)
        assert desk.decode(jwt_of(secret)).code == 0


def test_a_file_has_a_size(desk: Desk) -> None:
    desk.key(b"s" * (1024 * 1024 + 1))
    answer = desk.decode(jwt_of(b"s" * (1024 * 1024)))
    assert answer.code == 2
    assert "more than 1,048,576 bytes" in answer.err


def test_a_private_key_of_openssh_will_do(desk: Desk) -> None:
    for algorithm in ("EdDSA", "ES256"):
        private = KEYS[algorithm]()
        desk.key(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
        )
        assert desk.decode(jwt.encode(CLAIMS, private, algorithm)).code == 0


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
