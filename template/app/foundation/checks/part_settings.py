"""Settings that a folder of the app adds: a class of `PartSettings` in its module `settings`.

They are read where those of `app/config.py` are, and a wrong one stops the start alike.
`settings.part(ThatClass)` gives them.
"""

from functools import cache
from typing import Final

from pydantic_settings import BaseSettings, SettingsConfigDict

from app.foundation.modules import features_with

SOURCES: Final = SettingsConfigDict(
    env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
)


class PartSettings(BaseSettings):
    """One field a variable, as in `app/config.py`."""

    model_config = SOURCES


@cache
def kinds_of_parts() -> list[type[PartSettings]]:
    """The classes that the folders of the app have."""
    values = [value for module in features_with("settings") for value in vars(module).values()]
    kinds = [value for value in values if isinstance(value, type)]
    return [kind for kind in kinds if issubclass(kind, PartSettings) and kind is not PartSettings]
