"""`openapi`: the contract of this API, which `openapi.json` keeps."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from app.config import load_settings
from app.manage.commands import add_command

CONTRACT: Final = Path(__file__).parents[2] / "openapi.json"


def openapi(args: Namespace) -> dict[str, Any]:
    """The OpenAPI document, read from the code. Connects to nothing."""
    return write() if args.write else _document()


def write() -> dict[str, Any]:
    """Write the document, to be committed: a test fails when the API changes and it does not."""
    text = json.dumps(_document(), indent=2, ensure_ascii=False) + "\n"
    changed = not CONTRACT.is_file() or CONTRACT.read_text(encoding="utf-8") != text
    if changed:
        CONTRACT.write_text(text, encoding="utf-8")
    return {"written": CONTRACT.name, "changed": changed}


def _document() -> dict[str, Any]:
    from app.application import create_app  # noqa: PLC0415  # other commands start without it

    return create_app(load_settings()).openapi()


def add_commands(commands: Any) -> None:
    parser = add_command(commands, "openapi", openapi, "the OpenAPI document", services=False)
    parser.add_argument("--write", action="store_true", help="write it to openapi.json")
    parser.set_defaults(json=True)
