"""An update across a move, on small trees: an owner's edits go along, and only edits conflict."""

from pathlib import Path

import pytest
from tests.test_merge import Files, Update, git

from authkit.update.merge import Merge
from authkit.update.moves import Moves, between

MOVED = r"""
[[moves]]
version = "0.3.0"
files = { "app/storage/rows.py" = "app/storage/table.py" }

[[moves]]
version = "0.2.0"
behaviour = ["A router is served because it is there."]
[moves.files]
"app/database.py" = "app/storage/rows.py"
"app/layers/" = "app/http/"
[moves.modules]
"app.database" = "app.storage"
[moves.names]
"app.database.Event" = "app.events.Event"
[moves.sections]
"README.md#Endpoints" = "docs/api.md#Endpoints"
"README.md#Settings" = "docs/settings.md#Every setting"
[moves.settings]
OLD_NAME = "is NEW_NAME now"
[[moves.settled]]
file = "app/application.py"
lines = ['^from app\.api import (?:\([^)]*\)|.*)$', '^    for router in \(.*\):$']
where = "app/api/{}.py"

[[moves]]
version = "0.1.0"
files = { "app/database.py" = "app/never.py" }
"""

ROWS = "".join(f"row{number} = {number}\n" for number in range(1, 31))
TABLE = "| endpoint |\n| --- |\n| one |\n| two |\n"
README = f"# Mine\n\nText.\n\n## Endpoints\n\n{TABLE}\n## Settings\n\n```sh\n# no heading\n```\n"
APPLICATION = """\
from app.api import auth, users
from app.database import Event, row1


def include(app):
    for router in (auth.router, users.router):
        app.include_router(router)
"""

THEN: Files = {
    ".copier-answers.yml": "_commit: v0.1.0\n",
    "README.md": README,
    "app/application.py": APPLICATION,
    "app/database.py": ROWS,
    "app/layers/__init__.py": '"""Layers."""\n',
    "app/layers/cors.py": "from app.database import row2\n",
    "app/user.py": "from app.database import Event, row3\n\nprint(row3, Event)\n",
    "pyproject.toml": "[tool.ruff]\nline-length = 100\n",
}
NOW: Files = {
    "README.md": "# Mine\n\nText.\n\nSee docs/.\n",
    "docs/api.md": f"# The API\n\n## Endpoints\n\n{TABLE}",
    "docs/settings.md": "# Every setting\n\n```sh\n# no heading\n```\n",
    "app/application.py": (
        "from app.events import Event\nfrom app.storage import row1\n\n\n"
        "def include(app):\n    serve_all(app)\n"
    ),
    "app/database.py": None,
    "app/events.py": "Event = 1\n",
    "app/storage/__init__.py": "from app.storage.table import row1, row2, row3\n",
    "app/storage/table.py": ROWS.replace("row30 = 30\n", "row30 = 0\n"),
    "app/layers/__init__.py": None,
    "app/layers/cors.py": None,
    "app/http/__init__.py": '"""Layers."""\n',
    "app/http/cors.py": "from app.storage import row2\n",
    "app/user.py": (
        "from app.events import Event\nfrom app.storage import row3\n\nprint(row3, Event)\n"
    ),
}


@pytest.fixture
def update(tmp_path: Path) -> Update:
    return Update(tmp_path, moves=between(MOVED, "0.1.0", "0.3.0"))


def apply(update: Update, owner: Files) -> dict[str, tuple[str, str]]:
    return update.apply(owner, NOW, THEN)


def merged(update: Update, owner: Files) -> Merge:
    with update.merged(owner, NOW, THEN) as result:
        return result


def test_the_moves_of_all_versions_in_between_the_oldest_first() -> None:
    def versions(old: str, new: str) -> list[str]:
        return [moves.version for moves in between(MOVED, old, new)]

    assert versions("0.1.0", "0.3.0") == ["0.2.0", "0.3.0"]
    assert versions("0.0.9", "0.2.0") == ["0.1.0", "0.2.0"]
    assert versions("0.3.0", "0.4.0") == []


def test_an_untouched_project_is_the_template_s(update: Update) -> None:
    changes = apply(update, {})

    assert changes["app/storage/table.py"] == ("renamed", "from app/database.py")
    assert changes["app/http/__init__.py"] == ("renamed", "from app/layers/__init__.py")
    assert changes["app/user.py"] == ("changed", "")
    for path, content in NOW.items():
        assert (update.project / path).exists() == (content is not None)
        assert content is None or update.read(path) == content


def test_an_owner_s_own_files_import_from_the_new_places(update: Update) -> None:
    mine = {
        "app/notes.py": "from app.database import Event, row1\n",
        "app/layers/mine.py": "x = 1\n",
        "migrations/versions/m.py": "from app.database import row2\n",
        "tests/test_notes.py": "import app.layers.mine\n\nprint(app.layers.mine.x)\n",
    }
    apply(update, mine)

    assert update.read("app/notes.py") == (
        "from app.events import Event\nfrom app.storage import row1\n"
    )
    assert update.read("migrations/versions/m.py") == "from app.storage import row2\n"
    assert update.read("app/http/mine.py") == "x = 1\n"
    assert not (update.project / "app/layers").exists()
    assert update.read("tests/test_notes.py") == "import app.http.mine\n\nprint(app.http.mine.x)\n"


def test_only_the_owner_s_files_are_named(update: Update) -> None:
    mine = {
        "app/notes.py": "from app.database import row1\n",
        "app/user.py": f"{THEN['app/user.py']}\n# Mine.\n",
        "app/layers/mine.py": "from app.database import row1\n",
        "app/broken.py": "from app.database import (\n",
    }

    moved = merged(update, mine).moved

    assert moved.imports_rewritten == ["app/http/mine.py", "app/notes.py", "app/user.py"]
    assert moved.look_at == ["app/broken.py is not read by this Python; it names app.database"]


def test_an_edit_follows_through_two_moves_and_a_rewritten_import(update: Update) -> None:
    mine = {
        "app/database.py": ROWS.replace("row2 = 2\n", "row2 = 'mine'\n"),
        "app/layers/cors.py": f"{THEN['app/layers/cors.py']}mine = True\n",
        "app/user.py": f"{THEN['app/user.py']}\n# Mine.\n",
    }

    changes = apply(update, mine)

    assert not [path for path, (kind, _) in changes.items() if kind == "conflicting"]
    assert "row2 = 'mine'\n" in update.read("app/storage/table.py")
    assert "row30 = 0\n" in update.read("app/storage/table.py")
    assert update.read("app/http/cors.py") == "from app.storage import row2\nmine = True\n"
    assert update.read("app/user.py") == f"{NOW['app/user.py']}\n# Mine.\n"


def test_what_was_deleted_stays_deleted_at_its_new_place(update: Update) -> None:
    changes = apply(update, {"app/database.py": None})

    assert not (update.project / "app/database.py").exists()
    assert not (update.project / "app/storage/table.py").exists()
    assert "stays deleted" in changes["app/storage/table.py"][1]


def test_both_sides_edits_of_the_same_line_conflict_at_the_new_place(update: Update) -> None:
    changes = apply(update, {"app/database.py": ROWS.replace("row30 = 30\n", "row30 = 3\n")})

    assert changes["app/storage/table.py"] == ("conflicting", "from app/database.py")
    assert "row30 = 3\n" in update.read("app/storage/table.py")
    git(update.top, "reset", "--quiet", "--hard")
    assert git(update.top, "status", "--porcelain") == ""
    assert update.read("app/database.py").endswith("row30 = 3\n")


def test_an_owner_s_own_file_at_the_new_place_is_not_overwritten(update: Update) -> None:
    changes = apply(update, {"app/http/cors.py": "mine\n"})

    assert changes["app/http/cors.py"][0] == "conflicting"
    assert "mine\n" in update.read("app/http/cors.py")


class TestSections:
    def test_an_edit_goes_along(self, update: Update) -> None:
        mine = README.replace("| two |\n", "| two |\n| mine |\n").replace("# Mine", "# My API")

        assert merged(update, {"README.md": mine}).moved.sections == [
            "README.md#Endpoints → docs/api.md#Endpoints"
        ]
        changes = apply(update, {})

        assert changes["docs/api.md"][0] == "added"
        assert update.read("docs/api.md") == f"{NOW['docs/api.md']}| mine |\n"
        assert update.read("README.md") == "# My API\n\nText.\n\nSee docs/.\n"
        assert update.read("docs/settings.md") == NOW["docs/settings.md"]

    @pytest.mark.parametrize("readme", [None, "# All my own\n", README.replace("## E", "## My e")])
    def test_an_owner_without_it_gets_the_new_page(
        self, update: Update, readme: str | None
    ) -> None:
        apply(update, {"README.md": readme})

        assert update.read("docs/api.md") == NOW["docs/api.md"]
        assert update.read("docs/settings.md") == NOW["docs/settings.md"]
        assert (update.project / "README.md").exists() == (readme is not None)

    def test_an_owner_s_page_of_that_name_is_not_overwritten(self, update: Update) -> None:
        changes = apply(update, {"docs/api.md": "# My API\n"})

        assert changes["docs/api.md"][0] == "conflicting"
        assert "# My API\n" in update.read("docs/api.md")


class TestSettled:
    def edited(self, *edits: tuple[str, str]) -> Files:
        text = APPLICATION
        for old, new in (("auth, users", "auth, notes, users"), *edits):
            text = text.replace(old, new)
        return {"app/application.py": text, "app/api/notes.py": "router = 1\n"}

    def test_an_edit_that_is_no_longer_needed_is_taken_back(self, update: Update) -> None:
        mine = self.edited(("users.router", "users.router, notes.router"))

        assert merged(update, mine).moved.settled == ["app/application.py"]
        apply(update, {})

        assert update.read("app/application.py") == NOW["app/application.py"]

    def test_one_over_several_lines_too(self, update: Update) -> None:
        mine = self.edited(
            ("auth, notes, users", "(\n    auth,\n    notes,\n    users,\n)"),
            ("users.router", "users.router, notes.router"),
        )

        assert merged(update, mine).moved.settled == ["app/application.py"]

    @pytest.mark.parametrize(
        "edit",
        [
            ("users.router", "users.router, elsewhere.router"),
            ("        app.include", "        app.include_router(notes.admin)\n        app.include"),
            ("for router in", "for each in"),
        ],
    )
    def test_an_edit_that_would_be_lost_is_the_owner_s_to_decide(
        self, update: Update, edit: tuple[str, str]
    ) -> None:
        result = merged(update, self.edited(edit))

        assert result.moved.settled == []
        assert "app/application.py" in result.conflicting


def test_what_it_means_for_whoever_deploys() -> None:
    moves: list[Moves] = between(MOVED, "0.1.0", "0.3.0")

    assert moves[0].settings == {"OLD_NAME": "is NEW_NAME now"}
    assert moves[0].behaviour == ("A router is served because it is there.",)
