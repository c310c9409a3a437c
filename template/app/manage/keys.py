"""The signing secrets in `.env`: a new one signs, earlier ones verify until they are removed."""

import io
import os
import secrets
import shutil
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from dotenv import dotenv_values, set_key
from pydantic import SecretStr

from app.accounts.tokens import key_id
from app.config import UNREADABLE_ENV_FILE
from app.foundation.checks.formats import check_key
from app.foundation.checks.production import EXAMPLE_SECRET
from app.manage.commands import add_command, add_group
from app.manage.errors import CommandError

ENV_FILE: Final = ".env"
CURRENT: Final = "JWT_SECRET"
PREVIOUS: Final = "JWT_PREVIOUS_SECRETS"
SECRET_BYTES: Final = 48


def list_keys(args: Namespace) -> list[dict[str, str]]:
    current, previous = _read()
    signing = [{"kid": key_id(current), "use": "signing"}] if current else []
    return signing + [{"kid": key_id(secret), "use": "verifying"} for secret in previous]


def rotate(args: Namespace) -> list[dict[str, str]]:
    """Make a new signing secret. Sessions go on: the earlier ones still verify."""
    _refuse_environment()
    current, previous = _read()
    keep = _may_verify(current)
    if keep and "," in current:
        raise _not_listable("holds a comma")
    if keep:
        # First the old one among the earlier ones: if this stops half-way, it still verifies.
        _write(PREVIOUS, ",".join([current, *(old for old in previous if old != current)]))
    _write(CURRENT, secrets.token_urlsafe(SECRET_BYTES))
    return list_keys(args)


def remove(args: Namespace) -> list[dict[str, str]]:
    """Forget an earlier secret: what it signed is refused from the next start on."""
    _refuse_environment()
    current, previous = _read()
    if args.kid == key_id(current):
        raise CommandError(
            f"{args.kid} is the key that signs", "first: python -m app.manage keys rotate"
        )
    kept = [secret for secret in previous if key_id(secret) != args.kid]
    if len(kept) == len(previous):
        raise CommandError(
            f"there is no key {args.kid}", "list them: python -m app.manage keys list"
        )
    _write(PREVIOUS, ",".join(kept))
    return list_keys(args)


def _read() -> tuple[str, list[str]]:
    try:
        values = {**dotenv_values(ENV_FILE), **os.environ}
    except (OSError, UnicodeDecodeError):
        raise CommandError(UNREADABLE_ENV_FILE) from None
    previous = (secret.strip() for secret in (values.get(PREVIOUS) or "").split(","))
    return (values.get(CURRENT) or "").strip(), [secret for secret in previous if secret]


def _may_verify(secret: str) -> bool:
    """Tell whether a secret may go on verifying: not the example, which everybody knows, nor one
    that the settings refuse, since rotating is the fix that they name."""
    try:
        check_key(SecretStr(secret))
    except ValueError:
        return False
    return secret != EXAMPLE_SECRET


def _refuse_environment() -> None:
    for name in (CURRENT, PREVIOUS):
        if name in os.environ:
            raise CommandError(
                f"{name} is set in the environment, which wins over {ENV_FILE}",
                f"change it where it is set, or unset it and keep it in {ENV_FILE}",
            )


def _write(name: str, value: str) -> None:
    """Replace one line of `.env`, atomically; a new file is readable by its owner alone.

    A link stays one: where a deployment keeps `.env` elsewhere, that file is written. Under sudo it
    stays its owner's, or the service could not read it. What a kill leaves is named so that git
    ignores it.
    """
    file = Path(os.path.realpath(ENV_FILE))
    try:
        with TemporaryDirectory(prefix=f"{ENV_FILE}.", dir=file.parent) as directory:
            copy = Path(directory, file.name)
            if file.exists():
                shutil.copy2(file, copy)
            set_key(copy, name, value, quote_mode=_quote_mode(name, value))
            if os.name == "posix" and os.geteuid() == 0:
                owner = (file if file.exists() else file.parent).stat()
                os.chown(copy, owner.st_uid, owner.st_gid)
            copy.replace(file)
    except OSError as error:
        raise CommandError(f"{ENV_FILE} can't be written: {error.strerror}") from None


def _quote_mode(name: str, value: str) -> str:
    """Quote what would read back as something else: a secret with " #" in it would lose its end."""
    quoted = "'" + value.replace("'", "\\'") + "'"
    for mode, text in (("never", value), ("always", quoted)):
        if dotenv_values(stream=io.StringIO(f"{name}={text}")).get(name) == value:
            return mode
    raise _not_listable(f"has characters that {ENV_FILE} can't hold")


def _not_listable(reason: str) -> CommandError:
    return CommandError(
        f"{CURRENT} {reason}, so it can't become one of {PREVIOUS}",
        f"replace {CURRENT} in {ENV_FILE} by hand; everybody signs in again",
    )


def add_commands(commands: Any) -> None:
    group = add_group(commands, "keys", "the secrets that sign tokens")
    add_command(group, "list", list_keys, "the ids of the secrets", services=False)
    add_command(group, "rotate", rotate, "make a new signing secret", services=False)
    removal = add_command(group, "remove", remove, "forget an earlier secret", services=False)
    removal.add_argument("kid", metavar="KID")
