"""`authkit openapi` and `authkit client`: the contract is kept, compared, and made into clients."""

import json
import shutil
from pathlib import Path

import pytest
from scripts.clients import FAST
from scripts.clients import main as use_clients
from tests.conftest import authkit
from tests.projects import copy_of
from tests.test_update import commit, edit, git


@pytest.fixture
def project(pristine: Path, tmp_path: Path) -> Path:
    return copy_of(pristine, tmp_path / "myapi")


def test_new_commits_the_contract(project: Path) -> None:
    assert "openapi.json" in git(project, "ls-files")
    checked = authkit("openapi", "--check", cwd=project)
    assert checked.code == 0, checked.err

    printed = json.loads(authkit("openapi", cwd=project).out)
    assert printed == json.loads((project / "openapi.json").read_text())
    assert printed["info"]["title"] == "myapi"


def test_a_change_that_breaks_clients_is_said_and_kept_when_it_is_meant(project: Path) -> None:
    quiet = authkit("openapi", "--diff", cwd=project)
    assert (quiet.code, quiet.out) == (0, "")
    edit(project / "app/api/auth.py", "async def login(", "async def sign_in_now(")

    stale = authkit("openapi", "--check", cwd=project)
    assert stale.code == 1
    assert "not what the API says" in stale.err
    assert "authkit openapi --write" in stale.err

    diff = authkit("openapi", "--diff", "--json", cwd=project)
    assert diff.code == 1
    [change] = diff.json
    assert change["breaking"] is True
    assert change["where"] == "POST /api/auth/login"
    assert "is signInNow" in change["what"]

    assert authkit("openapi", "--write", cwd=project).code == 0
    assert authkit("openapi", "--check", cwd=project).code == 0
    assert authkit("openapi", "--diff", cwd=project).code == 1, "since the last commit"
    assert "1 of 1 changes break clients" in authkit("openapi", "--diff", cwd=project).err
    against = authkit("openapi", "--diff", "--against", "openapi.json", cwd=project)
    assert against.code == 0, against.err
    commit(project)
    assert authkit("openapi", "--diff", cwd=project).code == 0
    assert authkit("openapi", "--diff", "--against", "HEAD~1", cwd=project).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--check", "--diff"], 2, "ask one at a time"),
        (["--diff", "--against", "nowhere"], 2, "there is no commit nowhere"),
    ],
)
def test_wrong_questions(pristine: Path, arguments: list[str], code: int, said: str) -> None:
    result = authkit("openapi", *arguments, cwd=pristine)

    assert result.code == code
    assert said in result.err


def test_a_project_without_a_contract(project: Path) -> None:
    (project / "openapi.json").unlink()
    commit(project)

    for option in ("--check", "--diff"):
        result = authkit("openapi", option, cwd=project)
        assert result.code == 1
        assert "no openapi.json" in result.err
        assert "hint: authkit openapi --write" in result.err


def test_a_contract_that_is_no_json(project: Path) -> None:
    (project / "openapi.json").write_text("<<<<<<< yours")

    result = authkit("openapi", "--check", cwd=project)

    assert result.code == 1
    assert "is no OpenAPI document" in result.err


def test_a_client_does_not_replace_what_is_no_client(pristine: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    result = authkit("client", "typescript", str(tmp_path), "--project", str(pristine))

    assert result.code == 2
    assert "no client of authkit's" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_language(pristine: Path, tmp_path: Path) -> None:
    result = authkit("client", "cobol", str(tmp_path / "c"), cwd=pristine)

    assert result.code == 2
    assert "known are typescript, python" in result.err


def test_without_npx_typescript_says_what_is_missing(pristine: Path, tmp_path: Path) -> None:
    result = authkit(
        *("client", "typescript", str(tmp_path / "c"), "--project", str(pristine)),
        env={"PATH": str(tmp_path)},
    )

    assert result.code == 1
    assert "npx is not installed" in result.err
    assert "Node.js" in result.err
    assert not (tmp_path / "c").exists()


needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm here")


@needs_npm
@pytest.mark.parametrize("language", ["typescript", "python"])
def test_a_client_is_made_and_made_anew(pristine: Path, tmp_path: Path, language: str) -> None:
    target = tmp_path / "client"
    for _ in range(2):
        result = authkit("client", language, str(target), "--project", str(pristine), timeout=600)
        assert result.code == 0, result.err
        (note,) = target.glob("authkit-client.json")
        assert json.loads(note.read_text())["generator"]
        files = {path.name for path in target.rglob("*")}
        assert files & {"sdk.gen.ts", "login.py"}
        assert [path.name for path in tmp_path.iterdir()] == ["client"]


@needs_npm
def test_generated_clients_are_used(capsys: pytest.CaptureFixture[str]) -> None:
    """Made, compiled and used against a running project; the others by hand, docs/clients.md."""
    assert use_clients(["--only", ",".join(FAST)]) == 0, capsys.readouterr().out
