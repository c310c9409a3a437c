"""The settings of this part; docs/jwks.md has their table."""

import hashlib
from functools import cached_property
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from app.foundation.checks.formats import CommaSeparated, EmptyIsUnset, trimmed
from app.foundation.checks.part_settings import PartSettings
from app.jwks.key_pairs import MAKE_ONE, SECRET, key_pair_id

MIN_SERVICE_TOKEN: Final = 32
"""Characters: nobody guesses that many."""


def _check_private_keys(entries: list[SecretStr]) -> list[SecretStr]:
    known: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        try:
            kid = key_pair_id(entry.get_secret_value())
        except ValueError as error:
            raise ValueError(f"entry {number} {error}") from None
        if kid in known:
            raise ValueError(f"entries {known[kid]} and {number} are the same key; remove one")
        known[kid] = number
    return entries


def _check_service_tokens(tokens: list[SecretStr]) -> list[SecretStr]:
    for number, token in enumerate(tokens, 1):
        if len(token.get_secret_value()) < MIN_SERVICE_TOKEN:
            raise ValueError(
                f"entry {number} has less than {MIN_SERVICE_TOKEN} characters; make one with "
                "`python -c 'import secrets; print(secrets.token_urlsafe(32))'`"
            )
    return tokens


class JwksSettings(PartSettings):
    jwt_private_keys: Annotated[
        list[SecretStr], NoDecode, CommaSeparated, AfterValidator(_check_private_keys)
    ] = Field([])
    """PEM files, PEM texts, or `JWT_SECRET` for the secrets: the first signs access tokens."""
    jwt_staged_private_key: Annotated[
        Annotated[SecretStr, AfterValidator(trimmed)] | None, EmptyIsUnset
    ] = None
    service_tokens: Annotated[
        list[SecretStr], NoDecode, CommaSeparated, AfterValidator(_check_service_tokens)
    ] = Field([])

    @field_validator("jwt_staged_private_key")
    @classmethod
    def _check_staged(cls, staged: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if staged is None:
            return None
        kid = key_pair_id(staged.get_secret_value())
        if kid == SECRET:
            raise ValueError(f"names no key pair; {MAKE_ONE}")
        if kid in {
            key_pair_id(k.get_secret_value()) for k in info.data.get("jwt_private_keys", [])
        }:
            raise ValueError("is one of JWT_PRIVATE_KEYS too; remove it here")
        return staged

    @cached_property
    def service_token_digests(self) -> frozenset[bytes]:
        """Compared by their hash, so that the time it takes tells nothing of a token."""
        tokens = (token.get_secret_value() for token in self.service_tokens)
        return frozenset(hashlib.sha256(token.encode()).digest() for token in tokens)
