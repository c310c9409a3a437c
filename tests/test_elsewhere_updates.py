"""Updates of what an owner keeps otherwise: another lock, a folder of a monorepo, no home."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import FakeProject, authkit
from tests.elsewhere import commit, git
from tests.projects import made_once
from tests.test_merge import lock
from tests.test_update import released

from authkit import __version__
from authkit.update.locks import WrittenOtherwise, merge_locks

EARLIER = "0.3.0"
HASH = "sha256:" + "0" * 64
INDEX = "http://localhost/simple"


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a project of an earlier release, committed."""

    def make(directory: Path) -> None:
        released(EARLIER, "--no-install", "-y", cwd=directory)

    return made_once(tmp_path_factory, "earlier", make) / "myapi"


@pytest.fixture
def project(earlier: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(earlier, tmp_path / "myapi", symlinks=True))


@pytest.mark.parametrize(
    "otherwise",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("a==1", "a==1  # via b"),
        lambda text: text.replace(" \\\n    --hash", " --hash"),
        lambda text: text + f"own @ git+https://localhost/own@{'0' * 40}\n",
        lambda text: text + "./wheels/own-1.0-py3-none-any.whl\n",
        lambda text: "".join(line for line in text.splitlines(True) if "--hash" not in line),
        lambda text: text.replace(" \\\n    --hash=sha256:a==1", ""),
        lambda text: f"--index-url {INDEX}\n" + text,
        lambda text: text.encode("utf-16").decode("utf-8", errors="surrogateescape"),
    ],
    ids=[
        "CRLF",
        "via",
        "one-line",
        "git",
        "wheel",
        "no-hashes",
        "one-hash-less",
        "index",
        "UTF-16",
    ],
)
def test_a_lock_that_is_written_otherwise_is_git_s_to_merge(
    otherwise: Callable[[str], str],
) -> None:
    base, theirs = lock("a==1", "b==1"), lock("a==2", "b==1")

    with pytest.raises(WrittenOtherwise):
        merge_locks(base, otherwise(base), theirs)


def test_a_lock_with_who_wanted_what_is_uv_s_own(project: Path) -> None:
    mine = lock("a==1", "b==1").replace("a==1\n", "a==1\n    # via\n    #   b\n", 1)

    assert merge_locks(lock("a==1", "b==1"), mine, lock("a==1", "b==2")).count("# via") == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
def test_the_report_and_the_way_back_are_there_whatever_the_lock(
    project: Path, encoding: str
) -> None:
    """PowerShell's `>` writes UTF-16, an editor on Windows CRLF."""
    file = project / "requirements-dev.txt"
    file.write_bytes(file.read_text().replace("\n", "\r\n").encode(encoding))
    commit(project)

    result = authkit("update", cwd=project)

    assert result.code == 4, result.err
    assert "error: conflicts in " in result.err
    assert "requirements-dev.txt" in result.err.partition("error: conflicts in ")[2]
    assert "or take it all back: git reset --hard" in result.err
    assert "Traceback" not in result.err


def test_a_package_without_metadata_does_not_take_the_report_away(project: Path) -> None:
    """A kill, or a full disk, in the middle of pip."""
    packages = project / ".venv/lib/python3.11/site-packages"
    (packages / "fastapi-0.1.dist-info").mkdir(parents=True)
    (project / ".venv/bin").mkdir()
    (project / ".venv/bin/python").write_text("#!/bin/sh\nexit 1\n")
    (project / ".venv/pyvenv.cfg").write_text("version = 3.11.0\n")

    result = authkit("update", cwd=project, env={"UV_OFFLINE": "1"})

    assert result.code == 1
    assert f"{EARLIER} → {__version__}" in result.err
    assert "or take it all back: " in result.err
    assert "Traceback" not in result.err


def test_an_update_that_is_only_looked_at_wants_no_home(project: Path) -> None:
    nowhere = {"HOME": "/proc/nothing", "XDG_CACHE_HOME": "/proc/nothing"}

    assert authkit("update", "--check", cwd=project, env=nowhere).code == 3
    dry = authkit("update", "--dry-run", "--json", cwd=project, env=nowhere)

    assert dry.code == 0, dry.err
    assert dry.json["to"] == __version__


def test_a_line_break_in_the_path_is_no_obstacle(earlier: Path, tmp_path: Path) -> None:
    project = tmp_path / 'new\n"line\\' / "myapi"
    shutil.copytree(earlier, project, symlinks=True)

    result = authkit("update", "--dry-run", "--json", cwd=project)

    assert result.code == 0, result.err


def test_nothing_is_left_in_a_home(project: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    assert authkit("update", "--check", cwd=project, env={"HOME": str(home)}).code == 3

    assert list(home.iterdir()) == []


def test_looking_finds_what_the_update_would_refuse(project: Path) -> None:
    (project / ".git/info/exclude").write_text("docs/\n")
    (project / "docs").mkdir(exist_ok=True)
    (project / "docs" / "one-request.md").write_text("mine, and ignored\n")

    result = authkit("update", "--dry-run", cwd=project)

    assert result.code == 1
    assert (
        "there are untracked files where the merge brings its own: docs/one-request.md"
        in result.err
    )


def test_one_folder_of_a_monorepo_is_updated_beside_unfinished_work(
    earlier: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    api = tmp_path / "services" / "api"
    shutil.copytree(earlier, api, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "page.html").write_text("finished\n")
    commit(tmp_path)
    (tmp_path / "web" / "page.html").write_text("unfinished\n")
    (tmp_path / "web" / "staged.html").write_text("staged\n")
    git(tmp_path, "add", "web/staged.html")

    updated = authkit("update", "--json", cwd=api)
    assert updated.code == 0, updated.err
    assert (api / "docs" / "one-request.md").is_file()

    undo = updated.json["undo"]
    assert undo == "git restore --source=HEAD --staged --worktree -- ."
    git(api, *undo.split()[1:])
    assert (tmp_path / "web" / "page.html").read_text() == "unfinished\n"
    assert git(tmp_path, "status", "--porcelain").splitlines() == [
        " M web/page.html",
        "A  web/staged.html",
    ]


def test_a_git_that_was_killed_is_named(project: Path) -> None:
    (project / ".git" / "index.lock").touch()

    result = authkit("update", cwd=project)

    assert result.code == 1
    assert "another git works in this repository" in result.err


def site_packages(fake: FakeProject) -> Path:
    (found,) = (fake.root / ".venv/lib").glob("python*/site-packages")
    return found


def installed(fake: FakeProject, name: str, version: str) -> Path:
    info = site_packages(fake) / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return info


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_doctor_reads_a_lock_as_pip_does(fake: FakeProject, encoding: str) -> None:
    for name in ("one", "two", "three", "four"):
        installed(fake, name, "1.0")
    (fake.root / "requirements-dev.txt").write_text(
        f"one==1.0 --hash={HASH}\r\ntwo==1.0  # via one\r\n"
        "three @ git+https://localhost/three\r\n./wheels/four-1.0-py3-none-any.whl\r\n",
        encoding=encoding,
    )

    result = fake.run("doctor")

    assert (result.code, result.out) == (0, ""), result.out + result.err


def test_doctor_names_a_package_without_metadata(fake: FakeProject) -> None:
    (installed(fake, "one", "1.0") / "METADATA").unlink()
    (fake.root / "requirements-dev.txt").write_text("one==1.0\n")

    result = fake.run("doctor")

    assert result.code == 1
    assert "one is broken (it has no METADATA) instead of 1.0" in result.out


def test_doctor_says_what_is_wrong_with_an_environment(fake: FakeProject) -> None:
    (fake.root / ".venv/pyvenv.cfg").unlink()

    result = fake.run("doctor")

    assert result.code == 1
    assert "has no pyvenv.cfg that can be read" in result.out
    assert "-m venv --clear .venv" in result.out


@pytest.mark.parametrize("command", ["doctor", "migrate", "test", "serve"])
def test_an_interpreter_that_can_t_be_started_is_one_sentence(
    fake: FakeProject, command: str
) -> None:
    python = fake.root / ".venv/bin/python"
    python.unlink()
    python.write_text("not a program\n")
    python.chmod(0o644)

    result = fake.run(command)

    assert result.code == 1
    assert f"environment {fake.root / '.venv'} can't be started" in result.out + result.err
    assert "Traceback" not in result.err
    assert os.linesep not in result.err.strip().partition("hint:")[0].strip()
