"""What the project around a token holds for or against it: keys, rules, users and sessions."""

import json
import os
from pathlib import Path
from typing import Any

from authkit.parts.left_settings import SETTINGS
from authkit.project.project import Project, StrangersProject
from authkit.terminal import console
from authkit.terminal.errors import FAILED, AuthkitError, UsageError
from authkit.tokens.claims import session_problems
from authkit.tokens.findings import Finding, Rules
from authkit.tokens.keys import Key
from authkit.tokens.project_keys import other_keys, project_keys, retired_keys
from authkit.tokens.report import Verification
from authkit.tokens.text import Token


def find_project(named: Path | None) -> Project | None:
    """The project around us; none is no mistake, unless it was asked for by name."""
    try:
        return Project.find(named)
    except StrangersProject as refusal:
        console.warning(f"{refusal.message}; {refusal.hint}")
        return None
    except (AuthkitError, OSError):
        if named is not None:
            raise
        return None


def verification(
    home: Project | None,
    key: list[Key] | None,
    token: Token,
    *,
    wanted: bool,
    status: dict[str, Any],
    now: float,
) -> Verification:
    """What to verify with: the keys that were given, or else what the project has."""
    extra = session_problems(status, now) if status else []
    if key is not None:
        return Verification(key, wanted=wanted, extra=extra)
    if home is None:
        missing = Finding("no-key", "no key: this is not inside a project, and no --key was given")
        return Verification(missing=missing, wanted=wanted, extra=extra)
    settings = _settings(home)
    typ = token.header.get("typ")
    keys = project_keys(settings, home.root, typ)
    others = other_keys(settings, home.root, typ)
    issuer, audience = (settings.get(name, "app") for name in ("JWT_ISSUER", "JWT_AUDIENCE"))
    retired = retired_keys(settings, {*others, *(key.kid for key in keys)})
    rules = Rules(issuer, audience, retired, others)
    missing_secret = Finding("no-key", "no key: the project's JWT_SECRET is not set (see .env)")
    return Verification(keys, rules, None if keys else missing_secret, wanted, extra)


def _settings(home: Project) -> dict[str, str]:
    try:
        settings = home.settings()
    except AuthkitError as failure:
        console.warning(f"{failure.message}; only the environment counts")
        settings = {name.upper(): value for name, value in os.environ.items()}
    named = [name for name in SETTINGS["jwks"] if name in settings]
    if named and not _has_key_pairs(home):  # then the project reads none of them
        settings = {name: value for name, value in settings.items() if name not in named}
    return settings


def _has_key_pairs(home: Project) -> bool:
    try:
        return "jwks" in (home.parts() or ())
    except AuthkitError:
        return True


def ask_database(home: Project | None, token: Token) -> tuple[dict[str, Any], AuthkitError | None]:
    """What the project's database says about user and session, or why it could not be asked."""
    if home is None:
        raise UsageError("--online asks a project's database, and this is not inside a project")
    subject = {name: token.claims.get(name) for name in ("sub", "sid")}
    if not all(isinstance(value, str) for value in subject.values()):
        return {}, None
    try:
        return home.manage("token", "status", input=json.dumps(subject)), None
    except AuthkitError as failure:
        failure.exit_code = FAILED
        return {}, failure
