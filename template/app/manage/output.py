"""How commands print their data: JSON for programs, aligned text for people."""

import json
from typing import Any


def print_json(data: Any) -> None:
    print(json.dumps(data, indent=2))


def print_text(data: Any) -> None:
    """Print rows as a table, and one thing as `name: value` lines."""
    rows = _rows(data)
    if rows is None:
        width = max(map(len, data), default=0)
        for name, value in data.items():
            print(f"{name:<{width}}  {_text(value)}")
    elif rows:
        _print_table(rows)
    else:
        print("Nothing.")


def _rows(data: Any) -> list[dict[str, Any]] | None:
    """The list that the data is, or holds: users of a page, sessions, findings, keys."""
    if isinstance(data, list):
        return data
    return next((value for value in data.values() if isinstance(value, list)), None)


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
    return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)
