"""The settings of this part: what only Firebase's hashes need."""

from pydantic import SecretStr

from app.foundation.checks.part_settings import PartSettings


class ImportSettings(PartSettings):
    firebase_signer_key: SecretStr = SecretStr("")
    firebase_salt_separator: str = "Bw=="
