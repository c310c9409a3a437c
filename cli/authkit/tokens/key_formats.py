"""The keys in a file: a secret, PEM, a JWK or a JWK set (RFC 7517)."""

import base64
import codecs
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from authkit.terminal.errors import UsageError
from authkit.tokens.keys import HASHES, Key, public_key, shared_secret
from authkit.tokens.not_secrets import refuse_other_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

BEGIN: Final = b"-----BEGIN "
PUBLIC_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e")
"""Of a private JWK no more is needed, nor worth computing with: a set may come from anybody."""
WIDE: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_keys(data: bytes, name: str, *, from_address: bool = False) -> list[Key]:
    """The keys in what `name` holds.

    An address gives public keys: what everybody can fetch is nobody's secret.
    """
    data = _without_mark(data)
    text = data.strip()
    if not text:
        raise UsageError(f"the key in {name} is empty")
    if text.startswith((b"{", b"[{")):
        return _json_keys(text, name, secrets=not from_address)
    if BEGIN in text:
        return [_pem_key(text[text.index(BEGIN) :], name)]
    if from_address:
        raise UsageError(
            f"{name} answers with neither JSON nor PEM", "name the address of the JWKS itself"
        )
    refuse_other_keys(data, name)
    # An editor ends a file with a line break that is not part of the secret.
    return [shared_secret(data.rstrip(b"\r\n"), name)]


def _without_mark(data: bytes) -> bytes:
    """What an editor or a shell wrote, without its byte order mark, and in UTF-8."""
    if data.startswith(WIDE):
        with suppress(UnicodeDecodeError):
            return data.decode("utf-16").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def _pem_key(pem: bytes, name: str) -> Key:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509 import load_pem_x509_certificate

    try:
        if b"CERTIFICATE-----" in pem:
            return public_key(load_pem_x509_certificate(pem).public_key(), name)
        if b"PRIVATE KEY-----" in pem:
            private = _private_key(pem)
            weakness = f"{name} is the private key; verifying needs only the public one"
            return public_key(private.public_key(), name, weakness=weakness)
        return public_key(serialization.load_pem_public_key(pem), name)
    except TypeError:
        raise UsageError(
            f"{name} is an encrypted private key", "give the public key; it is enough to verify"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{name} looks like PEM, but holds no key that can be read") from None


def public_half(pem: bytes, name: str) -> tuple["PublicKeyTypes", dict[str, Any]]:
    """Of a private key that signs with EdDSA or ES256: its public one, and that as a JWK."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from jwt import PyJWTError
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm

    try:
        public: Any = _private_key(pem).public_key()
        method = ECAlgorithm if hasattr(public, "curve") else OKPAlgorithm
        return public, dict(method.to_jwk(public, as_dict=True))
    except (ValueError, TypeError, UnsupportedAlgorithm, PyJWTError):
        raise UsageError(f"{name} holds a key that can't be used", "see: authkit doctor") from None


def _private_key(pem: bytes) -> "PrivateKeyTypes":
    from cryptography.hazmat.primitives import serialization

    if pem.startswith(BEGIN + b"OPENSSH"):
        return serialization.load_ssh_private_key(pem, password=None)
    return serialization.load_pem_private_key(pem, password=None)


def _json_keys(text: bytes, name: str, *, secrets: bool) -> list[Key]:
    """A JWK or a JWK set (RFC 7517); entries for encryption or of unknown kinds are passed over."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{name} looks like a JWKS, but is not JSON") from None
    if not isinstance(document, dict):
        raise UsageError(f"{name} is a list", 'a set of keys is an object: {"keys": [...]}')
    entries = document.get("keys", [document])
    if not isinstance(entries, list):
        raise UsageError(f'{name} looks like a JWKS, but its "keys" is not a list')
    usable = [entry for entry in entries if isinstance(entry, dict) and entry.get("use") != "enc"]
    if not secrets:
        usable = [entry for entry in usable if entry.get("kty") != "oct"]
    keys = [key for entry in usable if (key := _jwk_key(entry, name)) is not None]
    if not keys:
        raise UsageError(
            f"{name} holds no key that verifies tokens", "a JWK has a kty: RSA, EC, OKP or oct"
        )
    return keys


def _jwk_key(entry: dict[str, Any], name: str) -> Key | None:
    kid = entry["kid"] if isinstance(entry.get("kid"), str) else None
    declared = entry["alg"] if isinstance(entry.get("alg"), str) else None
    if entry.get("kty") == "oct":
        return _jwk_secret(str(entry.get("k", "")), name, kid, declared or "HS256")
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm

    readers: dict[str, Any] = {
        "RSA": jwt.algorithms.RSAAlgorithm,
        "EC": jwt.algorithms.ECAlgorithm,
        "OKP": jwt.algorithms.OKPAlgorithm,
    }
    try:
        public = {member: entry[member] for member in PUBLIC_MEMBERS if member in entry}
        loaded = readers[entry["kty"]].from_jwk(public)
        return public_key(loaded, name, kid=kid, declared=declared)
    except (jwt.PyJWTError, UnsupportedAlgorithm, UsageError, ValueError, TypeError, KeyError):
        # Whatever a stranger's entry is made of, the other keys of the set are still good.
        return None


def _jwk_secret(value: str, name: str, kid: str | None, algorithm: str) -> Key | None:
    try:
        secret = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except ValueError:  # binascii.Error, or not ASCII
        return None
    if not secret or algorithm not in HASHES:
        return None
    return shared_secret(secret, name, kid=kid, algorithms=(algorithm,))
