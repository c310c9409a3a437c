"""The settings of this part."""

from typing import Literal

from app.foundation.checks.part_settings import PartSettings


class CookieSettings(PartSettings):
    refresh_cookie: bool = False
    refresh_cookie_samesite: Literal["strict", "lax"] = "strict"
