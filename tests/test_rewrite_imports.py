"""An owner's imports after a move: every form, nothing else touched, sorted as ruff sorts."""

import subprocess
import sys

import pytest

from authkit.update.moves import Renames
from authkit.update.rewrite_imports import Rewritten, rewrite

MODULES = {
    "app.database": "app.foundation.database",
    "app.email": "app.foundation.mail",
    "app.log": "app.foundation.log",
    "app.middleware": "app.foundation.http",
    "app.server_log": "app.foundation.log",
    "app.accounts.services": "app.services",
}
NAMES = {
    "app.log.SecurityEvent": "app.security_events.SecurityEvent",
    "app.log.Line": "app.foundation.log.LogLine",
}
GONE = {"app.log.POLICY": "a limit stands at its route"}
RENAMES = Renames(MODULES, NAMES, GONE)


def rewritten(text: str, path: str = "app/notes/book.py", width: int = 100) -> Rewritten:
    return rewrite(text, path, RENAMES, width)


def is_sorted(text: str) -> bool:
    """By ruff itself, as a generated project configures it."""
    options = ("--isolated", "--select=I", "--line-length=100", "--stdin-filename=app/book.py")
    known = "--config=lint.isort.known-first-party=['app','tests']"
    command = [sys.executable, "-m", "ruff", "check", "--quiet", *options, known, "-"]
    checked = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return checked.returncode == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from app.database import Base\n", "from app.foundation.database import Base\n"),
        ("from app.log import SecurityEvent\n", "from app.security_events import SecurityEvent\n"),
        ("from app.log import Line\n", "from app.foundation.log import LogLine as Line\n"),
        ("from app.database import *\n", "from app.foundation.database import *\n"),
        ("from app import database\n", "from app.foundation import database\n"),
        ("from app import email\n", "from app.foundation import mail as email\n"),
        ("from app import email as post\n", "from app.foundation import mail as post\n"),
        ("from app.middleware import cors\n", "from app.foundation.http import cors\n"),
        ("from app.middleware.cors import A\n", "from app.foundation.http.cors import A\n"),
        ("import app.database as db\n", "import app.foundation.database as db\n"),
        (
            "import app.database\n\nx = app.database.Base\n",
            "import app.foundation.database\n\nx = app.foundation.database.Base\n",
        ),
        (
            "import app.log\n\nx = app.log.SecurityEvent.LOGIN\ny = app.log.Line\n",
            (
                "import app.foundation.log\nimport app.security_events\n\n"
                "x = app.security_events.SecurityEvent.LOGIN\ny = app.foundation.log.LogLine\n"
            ),
        ),
        (
            "from app.database import Base  # mine\n",
            "from app.foundation.database import Base  # mine\n",
        ),
        (
            "from app.database import (\n    Base,  # one\n    # two\n    utc_now,\n)\n",
            "from app.foundation.database import (\n    Base,  # one\n    # two\n    utc_now,\n)\n",
        ),
        (
            "from app.log import SecurityEvent, configure\n",
            (
                "from app.foundation.log import configure\n"
                "from app.security_events import SecurityEvent\n"
            ),
        ),
        (
            "from app.config import S\nfrom app.database import Base\nfrom app.errors import E\n",
            (
                "from app.config import S\nfrom app.errors import E\n"
                "from app.foundation.database import Base\n"
            ),
        ),
        (
            (
                "from app.accounts.services import Services\nfrom app.database import Base\n"
                "from app.notes import book\nfrom tests.helpers import ada\n"
            ),
            (
                "from app.foundation.database import Base\nfrom app.notes import book\n"
                "from app.services import Services\nfrom tests.helpers import ada\n"
            ),
        ),
        (
            "from app.log import configure\nfrom app.server_log import b10, b9\n",
            "from app.foundation.log import b9, b10, configure\n",
        ),
        (
            "def f() -> None:\n    from app.log import SecurityEvent, configure\n",
            (
                "def f() -> None:\n    from app.foundation.log import configure\n"
                "    from app.security_events import SecurityEvent\n"
            ),
        ),
    ],
)
def test_every_form_of_import(before: str, after: str) -> None:
    result = rewritten(before)

    assert result.text == after
    assert result.is_changed
    assert result.look_at == []
    assert is_sorted(after)


def test_a_comment_above_an_import_goes_with_it() -> None:
    before = (
        "# Of the file.\nfrom app.config import Settings\n"
        "# Of the database.\nfrom app.database import Base\nfrom app.errors import E\n"
    )

    assert rewritten(before).text == (
        "# Of the file.\nfrom app.config import Settings\nfrom app.errors import E\n"
        "# Of the database.\nfrom app.foundation.database import Base\n"
    )


def test_comments_stay_with_their_names_when_a_statement_is_split() -> None:
    before = (
        "from app.log import (\n    SecurityEvent,  # one\n    # two\n    configure,\n)  # noqa\n"
    )

    assert rewritten(before).text == (
        "from app.foundation.log import (  # noqa\n    # two\n    configure,\n)\n"
        "from app.security_events import (  # noqa\n    SecurityEvent,  # one\n)\n"
    )


def test_a_line_that_becomes_too_long_is_wrapped_as_ruff_does() -> None:
    names = "DEADLINE, AnyRow, Base, Database, UtcDateTime, driver_url, utc_now"
    before = f"from app.database import {names}\n"

    after = rewritten(before).text

    assert after.startswith("from app.foundation.database import (\n    DEADLINE,\n    AnyRow,\n")
    assert is_sorted(after)
    assert rewritten(before, width=120).text.count("\n") == 1


@pytest.mark.parametrize("call", ["monkeypatch.setattr", "patch", "import_module"])
def test_a_patch_names_its_target_anew(call: str) -> None:
    assert rewritten(f'{call}("app.log.configure", 1)\n').text == (
        f'{call}("app.foundation.log.configure", 1)\n'
    )


def test_a_relative_import_names_the_new_place() -> None:
    assert rewritten("from ..database import Base\n").text == (
        "from app.foundation.database import Base\n"
    )
    assert rewritten("from .models import Note\n").text == "from .models import Note\n"


@pytest.mark.parametrize(
    "text",
    [
        "from app.databases import Base\n",
        "from other.app.database import Base\n",
        'open("app.log")\n',
        '"""See app.database."""\n',
        "app = object()\napp.database.x\n",
        "# from app.database import Base\n",
    ],
)
def test_all_else_stays_as_it_is(text: str) -> None:
    assert rewritten(text) == Rewritten(text)


def test_what_an_owner_had_unsorted_is_not_sorted_for_them() -> None:
    before = "from app.errors import E\nfrom app.database import Base\nfrom app.config import S\n"

    assert rewritten(before).text == before.replace("app.database", "app.foundation.database")


def test_statements_on_one_line() -> None:
    before = "import os; from app.log import SecurityEvent, configure; x = 1\n"

    assert rewritten(before).text == (
        "import os; from app.foundation.log import configure; "
        "from app.security_events import SecurityEvent; x = 1\n"
    )


def test_line_ends_and_what_is_not_ascii_stay() -> None:
    before = 'x = "ü"; y = 1\r\nfrom app.log import SecurityEvent, configure\r\nz = "é"'

    assert rewritten(before).text == (
        'x = "ü"; y = 1\r\nfrom app.foundation.log import configure\r\n'
        'from app.security_events import SecurityEvent\r\nz = "é"'
    )
    assert rewritten("from app.database import Base").text == (
        "from app.foundation.database import Base"
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("from app.database import (\n", "is not read by this Python; it names app.database"),
        ("from app import log\nlog.SecurityEvent\n", "log.SecurityEvent is app.security_events."),
        ("from app.log import POLICY\n", "app.log.POLICY is gone; a limit stands at its route"),
        ("import app.log\napp = 1\napp.log.x\n", "app.log.x is app.foundation.log.x now"),
    ],
)
def test_what_it_cannot_do_is_said(text: str, hint: str) -> None:
    (said,) = rewritten(text).look_at

    assert said.startswith("app/notes/book.py")
    assert hint in said
