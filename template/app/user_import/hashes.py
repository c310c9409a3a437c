"""Hashes as other systems export them, in the spelling in which they are stored here."""

import json
import re
from typing import Any, Final

from app.user_import.foreign_hashes import verifier_of
from app.user_import.settings import ImportSettings

MAX_HASH: Final = 255

_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")

_WRAPPERS: Final = ("bcrypt$", "{bcrypt}", "argon2$", "{argon2}", "{argon2@SpringSecurity_v5_8}")
"""What Django and Spring put in front of a hash that says itself what it is."""


def stored_form(exported: Any) -> str:
    """
    Args:
        exported: the hash as text, or the credential of a Keycloak export.

    Raises:
        ValueError: it is of no known kind, or asks for more work than a sign-in may cost.
    """
    text = _keycloak(exported) if isinstance(exported, dict) else exported
    if not isinstance(text, str) or len(text) > MAX_HASH:
        raise ValueError("the hash is no text of at most 255 characters")
    for wrapper in _WRAPPERS:
        # Django's "argon2$argon2id$…" has lost the dollar that the hash begins with.
        if text.startswith(wrapper):
            text = f"${text.removeprefix(wrapper).lstrip('$')}"
    if text.startswith("firebase-") and not ImportSettings().firebase_signer_key:
        raise ValueError("the hash is of Firebase, and wants FIREBASE_SIGNER_KEY: set that first")
    if _BCRYPT.fullmatch(text) or verifier_of(text):
        return text
    raise ValueError("the hash is of no known kind, or asks for too much work; see docs/import.md")


def _keycloak(credential: dict[str, Any]) -> str:
    """`{"secretData": "{…}", "credentialData": "{…}"}`, each of them JSON in a text."""
    try:
        secret, how = json.loads(credential["secretData"]), json.loads(credential["credentialData"])
        digest = str(how["algorithm"]).removeprefix("pbkdf2").removeprefix("-") or "sha1"
        rounds = int(how["hashIterations"])
        return f"keycloak-pbkdf2-{digest}${rounds}${secret['salt']}${secret['value']}"
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError("the hash is no password credential of a Keycloak export") from None
