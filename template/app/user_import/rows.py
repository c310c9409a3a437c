"""Reading a file of users: CSV with a header, or a JSON object a line."""

import csv
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.accounts.emails import canonical_email
from app.accounts.models import Role
from app.accounts.names import MAX_NAME, is_harmless
from app.accounts.passwords import NO_PASSWORD
from app.foundation.database import utc_now
from app.user_import.hashes import stored_form

FIELDS: Final = ("email", "name", "role", "active", "created", "hash")

_TRUE: Final = {"true", "1", "yes", "t", "y"}
_FALSE: Final = {"false", "0", "no", "f", "n"}


class BadRow(Exception):
    """A row that can't be taken over: its line in the file, and what is wrong with it."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class NewUser:
    line: int
    email: str
    name: str | None
    role: str
    is_active: bool
    created_at: datetime
    password_hash: str


def read_users(file: Path) -> Iterator[NewUser]:
    """
    Raises:
        BadRow: at the first line that is wrong.
        OSError, UnicodeDecodeError: the file can't be read.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = _json_lines(lines) if file.suffix == ".jsonl" else _csv_rows(lines)
        for line, row in rows:
            try:
                yield _user(line, row)
            except ValueError as problem:
                raise BadRow(line, str(problem)) from None


def _csv_rows(lines: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(lines, strict=True)
    try:
        names = reader.fieldnames or ()
        wrong = _wrong_names(names) or (len(set(names)) < len(names) and "a field is there twice")
        if wrong:
            raise BadRow(1, wrong)
        for row in reader:
            if None in row or None in row.values():
                raise BadRow(reader.line_num, "it has more fields, or fewer, than the first line")
            yield reader.line_num, row
    except csv.Error as error:
        raise BadRow(reader.line_num, str(error)) from None


def _json_lines(lines: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise BadRow(number, "it is not JSON") from None
            if not isinstance(row, dict):
                raise BadRow(number, "it is no JSON object")
            yield number, row


def _wrong_names(names: Collection[str]) -> str:
    """A column that nobody reads was misspelled, or is data that would be lost."""
    if "email" in names and set(names) <= set(FIELDS):
        return ""
    return f"the fields are {', '.join(FIELDS)}; only email must be there, and no other may"


def _user(line: int, row: dict[str, Any]) -> NewUser:
    if wrong := _wrong_names(row):
        raise ValueError(wrong)
    exported = row.get("hash")
    return NewUser(
        line,
        email=canonical_email(_text(row, "email") or ""),
        name=_name(_text(row, "name")),
        role=_role(_text(row, "role")),
        is_active=_flag(row.get("active")),
        created_at=_moment(_text(row, "created")),
        # Without one nobody signs in until the password is reset by mail.
        password_hash=NO_PASSWORD if exported in (None, "") else stored_form(exported),
    )


def _text(row: dict[str, Any], field: str) -> str | None:
    value = row.get(field)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{field} must be text")
    return value.strip() or None if value else None


def _name(name: str | None) -> str | None:
    if name is not None and not (is_harmless(name) and len(name) <= MAX_NAME):
        problem = f"name must have at most {MAX_NAME} characters, and no control characters"
        raise ValueError(problem)
    return name


def _role(role: str | None) -> str:
    if role not in {None, *Role}:
        raise ValueError("role must be user or admin")
    return role or Role.USER


def _flag(value: Any) -> bool:
    text = str("true" if value is None else value).strip().lower() or "true"
    if text not in _TRUE | _FALSE:
        raise ValueError("active must be true or false")
    return text in _TRUE


def _moment(text: str | None) -> datetime:
    if text is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):  # of the year 1, in a zone where it is still the year 0
        raise ValueError("created must be a moment like 2024-02-29T12:00:00Z") from None
    if moment > utc_now():
        raise ValueError("created must not be in the future")
    return moment
