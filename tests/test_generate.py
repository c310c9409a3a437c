"""`authkit generate resource`: what it writes, what it refuses, and that it is all or nothing."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests import services
from tests.conftest import AUTHKIT, Result, authkit, environ, terminal
from tests.projects import TYPES, copy_of, lend_environment
from tests.rows import run_sql
from tests.test_update import commit, released
from tests.token_cases import run as run_here

from authkit.generate.names import CLASSES_IN_THE_WAY
from authkit.generate.write import alone, written
from authkit.terminal.errors import AuthkitError

GENERATE = ("generate", "resource")
NOTE = ("note", "title", "body:text?", "done:boolean=false")

RESOURCES = (
    ("note", "title:string", "due:date?", "done:boolean=false", "priority:enum(low,high)=low"),
    (
        *("team_person", "note:string", "left:enum(a,b)", "at:datetime=2026-01-01T00:00:00+02:00"),
        *("flag:boolean?", "text:text=hello", "--shared", "--plural", "team_people"),
    ),
    (
        *("comment", "note:references", "team_person:references?", "body:text", "info:json?"),
        *("page:uuid?:index", "client:string=a–b"),
    ),
    (
        *("invoice", "number:string:unique", "total:decimal(12,2)", "rate:decimal(4,4)?"),
        *("units:decimal(18,0)=3", "on:date=2026-01-02", "--no-delete", "--owner-only"),
    ),
    (
        *("measurement", "label:string(80):index", "count:integer=-5", "big:bigint:unique?"),
        *("at:datetime:index", "key:uuid:unique", "meta:json", "h2o:integer?", "--public-read"),
    ),
    (
        "bulletin",
        "title:string(20):unique",
        "team_person:references?",
        "type:json?",
        "--admin-only",
    ),
)
"""Every type and every access; names that mean something elsewhere, and an irregular plural."""

PLURALS = ("notes", "team_people", "comments", "invoices", "measurements", "bulletins")
OWN = (
    *(f"tests/{plural}" for plural in PLURALS),
    *(f"tests/api/test_{plural}.py" for plural in PLURALS),
)
ASKING_EVERYTHING = (
    *("tests/test_documents.py", "tests/test_architecture.py", "tests/api/test_openapi.py"),
    *("tests/accounts/test_models.py", "tests/test_application.py"),
)


def run(project: Path, *command: str, env: dict[str, str] | None = None) -> str:
    """A program of the project's environment, which must succeed."""
    done = subprocess.run(
        [project / ".venv/bin/python", "-m", *command],
        cwd=project,
        env=environ(env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


IGNORED = {".venv", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}


def directories(project: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every directory outside of the environment and of caches, and the names of its files.

    Not looked into: the environment has ten thousand.
    """
    for directory, inner, names in os.walk(project):
        inner[:] = sorted(set(inner) - IGNORED)
        yield Path(directory).relative_to(project), names


def state(project: Path) -> dict[str, str]:
    """Every file there, by its digest.

    Not the database's: whoever opens it folds its log into it. It is asked for its tables.
    """
    paths = [directory / name for directory, names in directories(project) for name in names]
    return {
        path.as_posix(): hashlib.sha256((project / path).read_bytes()).hexdigest()
        for path in paths
        if not path.name.startswith("app.db")
    }


@pytest.fixture(scope="module")
def project(checked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with all resources, migrated."""
    root = copy_of(checked, tmp_path_factory.mktemp("generate") / "myapi")
    for resource in RESOURCES:
        done = authkit(*GENERATE, *resource, "--skip-migration", cwd=root)
        assert done.code == 0, done.err
    assert authkit("migrate", cwd=root).code == 0
    return root


@pytest.fixture
def fresh(pristine: Path, tmp_path: Path) -> Path:
    return copy_of(pristine, tmp_path / "myapi")


def newest(project: Path) -> str:
    """The revision that the project's migrations end in."""
    return run(project, "alembic", "heads").split()[0]


@pytest.mark.parametrize("check", ["ruff check", "ruff format --check", "mypy", "alembic check"])
def test_the_project_passes_its_checks(check: str, project: Path) -> None:
    run(project, *check.split())


def test_no_file_is_long(project: Path) -> None:
    new = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=project,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    lengths = {name: len((project / name).read_text().splitlines()) for name in new}

    assert len(lengths) == 12 * len(RESOURCES)
    assert {name: length for name, length in lengths.items() if length > 220} == {}


def test_its_own_tests_cover_all_that_was_written(project: Path) -> None:
    said = run(project, "pytest", "-n0", "--cov-fail-under=0", *OWN)

    missed = [line for line in said.splitlines() if line.startswith("app/") and "%" in line]
    for plural in PLURALS:
        assert [line for line in missed if plural in line] == []


def test_what_looks_at_a_whole_project_takes_it_for_one(project: Path) -> None:
    run(project, "pytest", "-n0", "--no-cov", *ASKING_EVERYTHING)


def test_its_own_tests_pass_on_postgresql(project: Path) -> None:
    url = {"TEST_DATABASE_URL": services.require_postgres()}

    run(project, "pytest", "-n0", "--no-cov", *OWN, "tests/accounts/test_models.py", env=url)


def test_the_migrations_can_be_taken_back(project: Path, tmp_path: Path) -> None:
    url = {"DATABASE_URL": f"sqlite:///{tmp_path}/back.db"}

    run(project, "alembic", "upgrade", "head", env=url)
    run(project, "alembic", "downgrade", "0001_accounts", env=url)
    run(project, "alembic", "upgrade", "head", env=url)


REFUSALS: Sequence[tuple[str, Sequence[str], int]] = [
    ("looks like a plural", ("notes", "title"), 2),
    ("can't be the name of a resource", ("1note", "title"), 2),
    ("can't be the name of a resource", ("../note", "title"), 2),
    ("can't be the name of a resource", ("nöte", "title"), 2),
    ("longer than 25", ("n" * 26, "title"), 2),
    ("is a keyword of Python", ("class", "title"), 2),
    ("is a keyword of Python", ("note", "from"), 2),
    ("has to differ", ("sheep", "title", "--plural", "sheep"), 2),
    ("a class User is there already", ("user", "title"), 2),
    ("a class Error is there already", ("error", "title"), 2),
    ("there is app/accounts already", ("ledger", "title", "--plural", "accounts"), 1),
    ("there is app/api/auth.py already", ("login", "title", "--plural", "auth"), 1),
    ("there is app/config.py already", ("setting", "title", "--plural", "config"), 1),
    ("has a table refresh_tokens already", ("refresh_token", "title"), 1),
    ("has a table mails already", ("mail", "title"), 1),
    ("there is app/api/schemas already", ("schema", "title"), 1),
    ("has a EventInfo already", ("event", "title", "--plural", "happenings"), 1),
    ("has a list_own_events already", ("own_event", "title"), 1),
    ("has its own id", ("note", "id:uuid"), 2),
    ("has its own user_id", ("note", "user_id"), 2),
    ("has its own version", ("note", "version:integer"), 2),
    ("means something else here", ("note", "metadata:json"), 2),
    ("means something else here", ("note", "cursor"), 2),
    ("means something else here", ("note", "model_name"), 2),
    ("means something else here", ("note", "date:date"), 2),
    ("means something else here", ("note", "t:integer"), 2),
    ("means something else here", ("note", "self"), 2),
    ("means something else here", ("note", "xmin:integer"), 2),
    ("the plural alembic_version means", ("note", "title", "--plural", "alembic_version"), 2),
    ("the plural sqlite_notes means", ("sqlite_note", "title"), 2),
    ("the plural pg_views means", ("pg_view", "title"), 2),
    ("a class Account is there already", ("account", "title", "--plural", "ledgers"), 2),
    ("the plural resources means something else", ("resource", "title"), 2),
    ("there is tests/helpers.py already", ("helper", "title"), 1),
    ("two fields title", ("note", "title", "title:text"), 2),
    ("two fields h2O", ("note", "h2o", "h2_o"), 2),
    ("there is no type money", ("note", "total:money"), 2),
    ("is no field", ("note", "title:string(3"), 2),
    ("is no field", ("note", "title:string:primary"), 2),
    ("out of range", ("note", "title:string(256)"), 2),
    ("out of range", ("note", "title:string(0)"), 2),
    ("no decimal that both databases keep", ("note", "total:decimal"), 2),
    ("no decimal that both databases keep", ("note", "total:decimal(19,2)"), 2),
    ("no decimal that both databases keep", ("note", "total:decimal(2,3)"), 2),
    ("no list of different words", ("note", "kind:enum(a)"), 2),
    ("no list of different words", ("note", "kind:enum(a,a)"), 2),
    ("no list of different words", ("note", "kind:enum(a,'b')"), 2),
    ("takes nothing in parentheses", ("note", "done:boolean(1)"), 2),
    ("is none of a, b", ("note", "kind:enum(a,b)=c"), 2),
    ("is no whole number", ("note", "n:integer=2147483648"), 2),
    ("is no `true` or `false`", ("note", "done:boolean=yes"), 2),
    ("is no date", ("note", "due:date=2023-02-29"), 2),
    ("is no time with its offset", ("note", "at:datetime=2026-01-01T00:00:00"), 2),
    ("is no number with", ("note", "total:decimal(4,2)=1.234"), 2),
    ("takes no default", ("note", "data:json=1"), 2),
    ("too long for an index", ("note", "body:text:unique"), 2),
    ("too few values to be unique", ("note", "done:boolean:unique"), 2),
    ("is one row", ("note", "n:integer=1:unique"), 2),
    ("names no generated resource", ("note", "board:references"), 2),
    ("has its own user", ("note", "user:references"), 2),
    ("can't refer to another one", ("note", "note:references"), 2),
    ("exclude each other", ("note", "title", "--shared", "--admin-only"), 2),
]


@pytest.mark.parametrize(("sentence", "arguments", "code"), REFUSALS, ids=str)
def test_refuses_what_could_not_work(
    sentence: str, arguments: Sequence[str], code: int, myapi: Path
) -> None:
    before = state(myapi)

    refused = run_here(*GENERATE, *arguments, directory=myapi, COLUMNS="100")

    assert sentence in refused.err
    assert refused.err.count("\n") <= 2, refused.err
    assert refused.code == code
    assert state(myapi) == before


def test_a_reference_is_for_the_same_people(project: Path) -> None:
    before = state(project)

    refused = authkit(*GENERATE, "remark", "note:references", "--shared", cwd=project)

    assert "notes belong to their users, and remarks would not" in refused.err
    assert state(project) == before


def test_what_admins_alone_have_is_for_admins(project: Path) -> None:
    before = state(project)

    for access in ("--shared", "--owner-only"):
        refused = authkit(*GENERATE, "remark", "bulletin:references", access, cwd=project)
        assert "bulletins are the admins' alone, and remarks would not be" in refused.err
    assert state(project) == before


def test_who_deletes_what_is_shared_deletes_nothing_of_others(project: Path) -> None:
    before = state(project)

    for access in ("--owner-only", "--public-read", "--admin-only"):
        refused = authkit(*GENERATE, "remark", "team_person:references", access, cwd=project)
        assert "would delete others' remarks along" in refused.err
        assert "write team_person:references?" in refused.err
    shared = authkit(
        *GENERATE, "remark", "team_person:references", "--shared", "--dry-run", cwd=project
    )
    assert 'ondelete="CASCADE"' in shared.out
    models = (project / "app/comments/models.py").read_text()
    assert 'ForeignKey("team_people.id", ondelete="SET NULL")' in models
    assert state(project) == before


def test_a_filter_by_what_is_shared_passes_no_rows_of_others(project: Path) -> None:
    models = " ".join((project / "app/comments/models.py").read_text().split())

    for index in (
        '"ix_comments_user_id_team_person_id", "user_id", "team_person_id", "created_at", "id"',
        '"ix_comments_team_person_id", "team_person_id"',
        '"ix_comments_note_id", "note_id", "created_at", "id"',
    ):
        assert re.search(rf"Index\( ?{re.escape(index)},? ?\)", models), index


def test_a_parent_has_to_say_whose_it_is(fresh: Path) -> None:
    assert authkit(*GENERATE, *NOTE, "--skip-migration", cwd=fresh).code == 0
    router = fresh / "app/api/notes.py"
    router.write_text(
        router.read_text().replace("Owner = CurrentUser", "from app.who import Owner")
    )
    before = state(fresh)

    refused = authkit(*GENERATE, "comment", "note:references", cwd=fresh)

    assert "app/api/notes.py does not say whose notes are" in refused.err
    assert state(fresh) == before


def test_no_resource_is_called_like_what_its_files_import() -> None:
    skeleton = Path(__file__).parents[1] / "template/skeletons/resource"
    code = "\n".join(file.read_text() for file in skeleton.rglob("*.py.jinja"))
    imports = re.findall(r"^from \S+ import (?:\(([^)]*)\)|(.*))$", code, re.MULTILINE)
    imported = set(re.findall(r"(?<!\w)[A-Z]\w+(?= ?[,\n]|$)", "\n".join(map("".join, imports))))
    spelled = {name for name in imported if re.fullmatch("([A-Z][a-z0-9]+)+", name)}

    assert "Account" in spelled
    assert spelled - CLASSES_IN_THE_WAY == set()


def test_a_second_one_of_the_same_name_is_refused(project: Path) -> None:
    before = state(project)

    assert "there is app/notes already" in authkit(*GENERATE, *NOTE, cwd=project).err
    assert state(project) == before


@pytest.mark.parametrize("path", ["docs/notes.md", "tests/notes", "app/api/schemas/notes.py"])
def test_whatever_is_in_the_way_stays(path: str, fresh: Path) -> None:
    (fresh / path).write_text("mine\n")
    before = state(fresh)

    refused = authkit(*GENERATE, *NOTE, cwd=fresh)

    assert refused.code == 1
    assert path in refused.err
    assert state(fresh) == before


def test_what_python_compiled_is_in_nobodys_way(fresh: Path) -> None:
    for directory in ("app/notes", "app/api/notes"):  # as after `git switch` to another branch
        (fresh / directory / "__pycache__").mkdir(parents=True)
        (fresh / directory / "__pycache__/models.cpython-311.pyc").touch()

    assert authkit(*GENERATE, *NOTE, "--skip-migration", cwd=fresh).code == 0


def test_without_an_environment_nothing_is_written(fresh: Path) -> None:
    (fresh / ".venv").rename(fresh / "elsewhere")
    before = state(fresh)

    refused = authkit(*GENERATE, *NOTE, cwd=fresh)

    assert "environment" in refused.err
    assert state(fresh) == before


def test_two_heads_are_joined_first(fresh: Path) -> None:
    for name in ("one", "two"):
        (fresh / f"migrations/versions/{name}.py").write_text(
            f'revision = "{name}"\ndown_revision = "0001_accounts"\n'
        )
    before = state(fresh)

    refused = authkit(*GENERATE, *NOTE, cwd=fresh)

    assert "3 heads" in refused.err
    assert "merge heads" in refused.err
    assert state(fresh) == before


def test_a_failing_migration_changes_nothing(fresh: Path) -> None:
    (fresh / "migrations/versions/9001_mine.py").write_text(
        f'revision = "9001_mine"\ndown_revision = "{newest(fresh)}"\n'
        "branch_labels = depends_on = None\n\n\ndef upgrade() -> None:\n"
        '    raise ValueError("not today")\n'
    )
    before = state(fresh)

    failed = authkit(*GENERATE, *NOTE, cwd=fresh)

    assert failed.code == 1
    assert "nothing was changed: ValueError: not today" in failed.err
    assert state(fresh) == before
    tables = run_sql(f"sqlite:///{fresh}/app.db", "SELECT name FROM sqlite_master")
    assert ("notes",) not in tables


def test_ctrl_c_amid_the_migration_is_told_once_and_leaves_all(fresh: Path) -> None:
    (fresh / "migrations/versions/9001_mine.py").write_text(
        f'import os, signal\n\nrevision = "9001_mine"\ndown_revision = "{newest(fresh)}"\n'
        "branch_labels = depends_on = None\n\n\ndef upgrade() -> None:\n"
        "    os.kill(os.getppid(), signal.SIGINT)\n"
    )

    stopped = authkit(*GENERATE, *NOTE, cwd=fresh)

    assert stopped.code == 130
    assert stopped.err.count("error:") == 1, stopped.err
    assert "interrupted when all was done" in stopped.err
    assert authkit("migrate", "--check", cwd=fresh).code == 0
    assert (fresh / "app/notes/records.py").is_file()


def test_a_full_disk_changes_nothing(fresh: Path) -> None:
    (fresh / "docs").chmod(0o500)
    before = state(fresh)
    try:
        failed = authkit(*GENERATE, *NOTE, "--skip-migration", cwd=fresh)
    finally:
        (fresh / "docs").chmod(0o700)
    if failed.code == 0:
        pytest.skip("root may write anywhere")
    assert "nothing was changed" in failed.err
    assert state(fresh) == before


class TestInATerminal:
    QUESTION = "Migrate the database now?"

    def test_it_asks_before_it_migrates(self, fresh: Path) -> None:
        done = terminal(*GENERATE, *NOTE, cwd=fresh, dialogue=[(self.QUESTION, "y")])

        assert done.code == 0, done.out
        assert authkit("migrate", "--check", cwd=fresh).code == 0

    def test_who_says_no_migrates_later(self, fresh: Path) -> None:
        done = terminal(*GENERATE, *NOTE, cwd=fresh, dialogue=[(self.QUESTION, "n")])

        assert done.code == 0, done.out
        assert "authkit migrate" in done.out
        assert "1 migration(s) to apply" in authkit("migrate", "--check", cwd=fresh).err

    def test_ctrl_c_changes_nothing(self, fresh: Path) -> None:
        before = state(fresh)

        stopped = terminal(*GENERATE, *NOTE, cwd=fresh, dialogue=[(self.QUESTION, "\x03")])

        assert stopped.code == 130
        assert state(fresh) == before


WRITING = """
import os, signal, sys
from pathlib import Path
from authkit.generate.write import written
root = Path(sys.argv[1])
readme = root / "README.md"
changed = {"README.md": (readme.read_text(), "c")}
with written(root, {"app/notes/a.py": "a", "docs/b.md": "b"}, changed):
    assert readme.read_text() == "c"
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
"""


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_amid_the_files_takes_them_back(signal: str, fresh: Path) -> None:
    before = state(fresh)
    places = [place for place, _ in directories(fresh)]

    stopped = subprocess.run(
        [AUTHKIT[0], "-c", WRITING, str(fresh), signal], capture_output=True, check=False
    )

    assert stopped.returncode != 0
    assert state(fresh) == before
    assert [place for place, _ in directories(fresh)] == places


def test_a_second_one_waits_until_the_first_has_ended(fresh: Path) -> None:
    with alone(fresh):
        before = state(fresh)
        refused = authkit(*GENERATE, *NOTE, cwd=fresh)

    assert refused.code == 1
    assert "another `authkit generate` is at work in this project" in refused.err
    assert state(fresh) == before


def test_what_was_saved_while_a_question_was_open_stays(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text("mine", encoding="utf-8")

    with (
        pytest.raises(AuthkitError, match=r"openapi\.json has changed meanwhile"),
        written(tmp_path, {"app/notes.py": ""}, {"openapi.json": ("theirs", "after")}),
    ):
        pytest.fail("nothing may be written")

    assert [path.name for path in tmp_path.iterdir()] == ["openapi.json"]
    assert (tmp_path / "openapi.json").read_text(encoding="utf-8") == "mine"


def test_production_is_not_migrated(fresh: Path) -> None:
    done = authkit(*GENERATE, *NOTE, cwd=fresh, env={"ENVIRONMENT": "production"})

    assert done.code == 0, done.err
    assert "production" in done.err
    assert "authkit openapi --write" in done.err, "without its mail server it does not start"
    assert authkit("migrate", "--check", cwd=fresh).code == 1


def test_a_dry_run_shows_the_patch_that_would_be_applied(fresh: Path, tmp_path: Path) -> None:
    before = state(fresh)

    shown = authkit(*GENERATE, *NOTE, "--dry-run", cwd=fresh)

    assert shown.code == 0, shown.err
    assert state(fresh) == before
    assert "nothing was" in shown.err
    as_json = authkit(*GENERATE, *NOTE, "--dry-run", "--json", cwd=fresh).json
    assert as_json["diff"] == shown.out
    assert authkit(*GENERATE, *NOTE, "--skip-migration", cwd=fresh).code == 0
    written = state(fresh)
    assert sorted(written.keys() - before.keys()) == as_json["files"]
    subprocess.run(["git", "clean", "-fdq"], cwd=fresh, check=True)
    subprocess.run(["git", "checkout", "--quiet", "."], cwd=fresh, check=True)
    subprocess.run(["git", "apply"], cwd=fresh, input=shown.out, text=True, check=True)
    names = {*as_json["files"], *as_json["changed"]}
    assert {name: written[name] for name in names if written[name] != EMPTY} == {
        name: digest for name, digest in state(fresh).items() if name in names
    }


EMPTY = hashlib.sha256(b"").hexdigest()
"""An empty file has no lines, so a patch in the plain form can't make it."""


def test_json_says_what_was_done(fresh: Path) -> None:
    number = int(newest(fresh)[:4]) + 1

    done = authkit(*GENERATE, *NOTE, "--json", cwd=fresh)

    assert done.json == {
        "resource": "note",
        "plural": "notes",
        "path": "/api/notes",
        "access": "owner-only",
        "revision": f"{number:04d}_add_notes",
        "files": done.json["files"],
        "changed": ["openapi.json"],
        "migrated": True,
        "backup": None,
    }
    assert "app/notes/records.py" in done.json["files"]
    assert authkit("migrate", "--check", cwd=fresh).code == 0


@pytest.fixture(scope="module")
def earlier(checked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as 0.6.0 made it, with a resource of each kind of reader; and its packages."""
    root = released("0.6.0", "--no-install", "-y", cwd=tmp_path_factory.mktemp("earlier"))
    lend_environment(checked, root)
    done = authkit(*GENERATE, *RESOURCES[4], "--skip-migration", "--json", cwd=root)
    again = authkit(*GENERATE, *NOTE, "--skip-migration", "--json", cwd=root)
    assert done.code == again.code == 0, done.err + again.err
    assert "app/foundation/database/pages.py" in done.json["files"]
    assert "app/errors.py" in done.json["changed"]
    assert again.json["changed"] == []
    return root


def test_a_project_of_an_earlier_template_gets_what_it_lacks(earlier: Path) -> None:
    own = [f"tests/{name}" for name in ("notes", "measurements")]
    own += [f"tests/api/test_{name}.py" for name in ("notes", "measurements")]
    run(earlier, "ruff", "check")
    run(earlier, "mypy")
    run(earlier, "pytest", "-n0", "--no-cov", *own, *ASKING_EVERYTHING)


def test_in_a_project_of_before_a_row_goes_with_what_it_refers_to(
    earlier: Path, tmp_path: Path
) -> None:
    """Its skeleton knows no reference that becomes null: model and migration say the same."""
    project = copy_of(earlier, tmp_path / "myapi")
    assert authkit(*GENERATE, "tag", "label", "--shared", "--skip-migration", cwd=project).code == 0
    before = state(project)

    refused = authkit(*GENERATE, "remark", "tag:references?", cwd=project)
    assert "who deletes a tag would delete others' remarks along" in refused.err
    assert state(project) == before

    done = authkit(*GENERATE, "remark", "note:references?", "--skip-migration", cwd=project)
    assert done.code == 0, done.err
    url = {"DATABASE_URL": f"sqlite:///{tmp_path}/before.db"}
    run(project, "alembic", "upgrade", "head", env=url)
    run(project, "alembic", "check", env=url)


def test_the_next_update_brings_it_without_a_conflict(earlier: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(earlier, tmp_path / "myapi", symlinks=True))
    shutil.rmtree(project / ".venv")
    shutil.rmtree(project / TYPES)
    commit(project)

    updated = authkit("update", "--json", cwd=project)

    assert updated.json["conflicts"] == [], updated.err
    lend_environment(earlier, project)
    run(project, "ruff", "check")
    run(project, "mypy")


def test_the_contract_is_kept_up_to_date(project: Path) -> None:
    assert authkit("openapi", "--check", cwd=project).code == 0


def test_help_names_every_type() -> None:
    from authkit.generate.kinds import KINDS

    helped: Result = authkit(*GENERATE, "--help")

    assert [name for name in KINDS if name not in helped.out] == []
