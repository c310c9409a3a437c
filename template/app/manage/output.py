"""How commands print their data: JSON for programs, aligned text for people."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic.alias_generators import to_camel


def facts(row: Any, *names: str) -> dict[str, Any]:
    """Some of what a row says, as JSON has it."""
    return {to_camel(name): _plain(getattr(row, name)) for name in names}


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return str(value) if isinstance(value, UUID) else value


def print_json(data: Any) -> None:
    print(json.dumps(data, indent=2))


def print_text(data: Any) -> None:
    """Print rows as a table, and one thing with a line for each of its facts."""
    rows = _rows(data)
    if rows is None:
        _print_facts(data)
    elif rows:
        _print_table(rows)
    else:
        print("Nothing.")


def _rows(data: Any) -> list[dict[str, Any]] | None:
    """The list that the data is, or holds: users of a page, sessions, findings, keys."""
    if isinstance(data, list):
        return data
    return next((value for value in data.values() if isinstance(value, list)), None)


def _print_facts(facts: dict[str, Any], indent: str = "") -> None:
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            _print_facts(value, indent + "  ")
        else:
            print(f"{indent}{name:<{width}}  {_text(value)}".rstrip())


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([_text(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        print(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return json.dumps(value) if isinstance(value, list | bool) else str(value)
