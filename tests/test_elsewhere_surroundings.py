"""What a shell, a home and a disk are set up for must not choose the project or the place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import Result, authkit
from tests.elsewhere import files_below, git, without_privileges
from tests.projects import copy_of
from tests.test_cli_real import serving

from authkit.project.package_index import package_index

HOSTILE_UV = '[pip]\ntarget = "{place}"\nprefix = "{place}"\n'
OFFLINE = {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "3"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of one's own below somebody else's, with what an ini file can't hold in it."""
    parent = tmp_path_factory.mktemp("feature%2Flogin")
    (parent / "api").mkdir()
    return parent / "api"


@pytest.fixture(scope="module")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody else's project, with an environment and settings for all the tools."""
    root = tmp_path_factory.mktemp("neighbour")
    (root / ".venv").mkdir()
    (root / ".venv" / "theirs").write_text("theirs")
    (root / "migrations" / "versions").mkdir(parents=True)
    (root / "migrations" / "env.py").write_text("from pathlib import Path\nPath('TOUCHED').touch()")
    (root / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (root / "uv.toml").write_text(HOSTILE_UV.format(place=root / "packages"))
    return root


@pytest.fixture(scope="module")
def hostile(neighbour: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home and a shell that send every tool there."""
    home = tmp_path_factory.mktemp("home")
    (home / "ignored").write_text(".env*\nAGENTS.md\n.*\n*.toml\n")
    (home / "attributes").write_text("*.md text eol=crlf\n")
    (home / ".gitconfig").write_text(
        "[user]\n\tname = owner\n\temail = owner@localhost\n[core]\n\tsafecrlf = true\n"
        f"\tautocrlf = true\n\texcludesFile = {home}/ignored\n"
        f"\tattributesFile = {home}/attributes\n"
    )
    return {
        "HOME": str(home),
        "ALEMBIC_CONFIG": str(neighbour / "alembic.ini"),
        "UV_WORKING_DIR": str(neighbour),
        "UV_PROJECT": str(neighbour),
        "UV_PROJECT_ENVIRONMENT": str(neighbour / ".venv"),
        "UV_VENV_CLEAR": "1",
        "UV_CONFIG_FILE": str(neighbour / "uv.toml"),
        "PYTHONSAFEPATH": "1",
        "PYTHONOPTIMIZE": "2",
        "FORCE_COLOR": "1",
        "GIT_DIR": str(neighbour / ".git"),
        "GIT_WORK_TREE": str(neighbour),
        "UVICORN_UDS": str(neighbour / "socket"),
        "UVICORN_APP_DIR": str(neighbour),
    }


@pytest.fixture(scope="module")
def made(place: Path, neighbour: Path, hostile: dict[str, str]) -> tuple[Result, dict[str, bytes]]:
    """`authkit new .` under all of that at once, and what the neighbour had before."""
    before = files_below(neighbour)
    place.parent.chmod(0o555)
    try:
        result = without_privileges("new", ".", "-y", "--json", cwd=place, env=hostile)
    finally:
        place.parent.chmod(0o755)
    return result, before


def test_a_project_is_made_where_it_was_asked_for(
    made: tuple[Result, dict[str, bytes]], place: Path, neighbour: Path
) -> None:
    """Safe path, `%` in the path, a parent that is not ours, uv told of another directory."""
    result, before = made

    assert result.code == 0, result.err
    assert result.json["path"] == str(place)
    assert (place / "app.db").is_file()
    python = place / ".venv/bin/python"
    probe = "import fastapi; print(fastapi.__file__)"
    said = subprocess.run([python, "-I", "-c", probe], check=True, capture_output=True, text=True)
    assert said.stdout.startswith(str(place))
    assert files_below(neighbour) == before
    assert {path.name for path in place.parent.iterdir()} == {"api"}


def test_nothing_of_a_global_ignore_or_attribute_reaches_the_first_commit(
    made: tuple[Result, dict[str, bytes]], place: Path
) -> None:
    committed = git(place, "ls-tree", "-r", "--name-only", "HEAD").splitlines()

    for name in (
        ".env.example",
        "AGENTS.md",
        ".gitignore",
        ".copier-answers.yml",
        "pyproject.toml",
    ):
        assert name in committed
    assert ".env" not in committed
    assert git(place, "cat-file", "blob", "HEAD:AGENTS.md") == (place / "AGENTS.md").read_text()
    assert "\r" not in git(place, "cat-file", "blob", "HEAD:AGENTS.md")
    assert git(place, "status", "--porcelain") == ""


def test_the_contract_is_that_of_any_other_machine(
    made: tuple[Result, dict[str, bytes]], place: Path
) -> None:
    """Python that leaves docstrings out would leave out its descriptions."""
    assert authkit("openapi", "--check", cwd=place).code == 0


def test_the_schema_that_is_migrated_is_the_project_s_own(
    made: tuple[Result, dict[str, bytes]], place: Path, neighbour: Path, hostile: dict[str, str]
) -> None:
    back = authkit("migrate", "--to", "base", "--json", cwd=place, env=hostile)

    assert back.code == 0, back.err
    assert back.json["reverted"][-1]["revision"] == "0001_accounts"
    assert not (neighbour / "TOUCHED").exists()
    assert authkit("migrate", cwd=place, env=hostile).code == 0


def test_the_api_is_served_where_it_was_asked_for(
    pristine: Path,
    tmp_path: Path,
    hostile: dict[str, str],
    neighbour: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)

    with serving(copy_of(pristine, tmp_path / "myapi")):
        pass

    assert not (neighbour / "socket").exists()


def test_colours_that_are_forced_stay_out_of_json(
    myapi: Path, tmp_path: Path, hostile: dict[str, str]
) -> None:
    broken = hostile | {"DATABASE_URL": f"sqlite:///{tmp_path}/none/app.db", "PYTHON_COLORS": "1"}

    for command in (("info",), ("doctor",), ("user", "list")):
        result = authkit(*command, "--json", cwd=myapi, env=broken)
        assert "\x1b" not in result.out + result.err
        assert "\\u001b" not in result.out


def test_a_mirror_that_pip_knows_is_uv_s_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `pip config list` says it; authkit itself may have been installed through that mirror."""
    mirror = "https://me:secret@mirror.invalid/simple"
    more, third = "https://more.invalid/simple", "https://third.invalid/simple"
    conf = tmp_path / "pip.conf"
    conf.write_text(
        f"[global]\nindex-url = {mirror}\n"
        f"extra-index-url = {more}\n  {third}\n"
        "cert = /etc/ssl/ours.pem\ntrusted-host = mirror.invalid\n"
    )
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(conf))

    told = package_index(tmp_path)

    assert told.environ["UV_DEFAULT_INDEX"] == mirror
    assert told.environ["UV_EXTRA_INDEX_URL"].endswith(f"{more} {third}")
    assert told.environ["SSL_CERT_FILE"] == "/etc/ssl/ours.pem"
    assert told.environ["UV_INSECURE_HOST"] == "mirror.invalid"
    assert told.urls == ["https://mirror.invalid/simple"]


def test_of_uv_s_own_files_only_what_tells_where_packages_come_from_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.uv]\nmanaged = true\nexclude-newer = "2026-01-01"\n[tool.uv.pip]\ntarget = "/x"\n'
        '[[tool.uv.index]]\nname = "ours"\nurl = "https://ours.invalid/simple"\ndefault = true\n'
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.invalid/simple")
    (tmp_path / "app").mkdir()

    told = package_index(tmp_path / "app")

    assert told.as_toml() == (
        'exclude-newer = "2026-01-01"\nindex = [{ "name" = "ours", '
        '"url" = "https://ours.invalid/simple", "default" = true }]\n'
    ), "and pip's index is not asked where uv has its own"
    assert "UV_DEFAULT_INDEX" not in told.environ


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"PIP_INDEX_URL": "http://me:secret@127.0.0.1:9/simple"}, "127.0.0.1:9/simple"),
        ({"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}, "127.0.0.1:9/simple"),
        ({"UV_OFFLINE": "1"}, "go online once"),
    ],
)
def test_what_uv_can_t_get_is_said_with_the_address_that_was_asked(
    tmp_path: Path, env: dict[str, str], words: str
) -> None:
    own = {"UV_CACHE_DIR": str(tmp_path / "cache"), "PIP_CONFIG_FILE": os.devnull} | OFFLINE

    result = authkit("new", str(tmp_path / "myapi"), "-y", env=own | env)

    assert result.code == 1
    assert words in result.err
    assert "secret" not in result.err
    assert not (tmp_path / "myapi").exists()


def test_a_uv_that_is_missing_is_named(tmp_path: Path) -> None:
    """Somebody installed without it, or cleaned up too well."""
    code = (
        "import sys, uv; from authkit import cli\n"
        "def gone(): raise FileNotFoundError('uv')\n"
        "uv.find_uv_bin = gone; cli.main()"
    )
    plain = "/usr/bin:/bin"
    if shutil.which("uv", path=plain):
        pytest.skip("this machine has a uv of its own there")

    result = without_privileges(
        *("new", "myapi", "-y"),
        cwd=tmp_path,
        env={"PATH": plain},
        program=[sys.executable, "-c", code],
    )

    assert result.code == 1
    assert "uv, which makes the environment, is missing" in result.err
    assert "reinstall it" in result.err
