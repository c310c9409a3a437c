"""The settings of this part: what only Firebase's hashes need."""

import base64
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from app.foundation.checks.part_settings import PartSettings


def _is_base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        raise ValueError("must be base64, as Firebase shows it") from None
    return value


def _hides_base64(value: SecretStr) -> SecretStr:
    _is_base64(value.get_secret_value())
    return value


class ImportSettings(PartSettings):
    firebase_signer_key: Annotated[SecretStr, AfterValidator(_hides_base64)] = SecretStr("")
    firebase_salt_separator: Annotated[str, AfterValidator(_is_base64)] = "Bw=="
