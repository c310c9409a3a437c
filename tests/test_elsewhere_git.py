"""What git is told by others: hooks, owners, a repository around."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import FakeProject, authkit, environ
from tests.elsewhere import commit, git, without_privileges


@pytest.fixture
def tracked(fake: FakeProject) -> FakeProject:
    """A project with its `.env` committed."""
    git(fake.root, "init", "--quiet", "--initial-branch=main")
    git(fake.root, "add", "--force", ".env", ".copier-answers.yml")
    git(fake.root, "commit", "--quiet", "--message", "All of it")
    return fake


def test_a_committed_env_is_found_where_git_speaks_of_another_repository(
    tracked: FakeProject, tmp_path: Path
) -> None:
    """Within a hook, git's variables name the repository that is committed to."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")

    result = tracked.run("doctor", env={"GIT_DIR": f"{other}/.git", "GIT_WORK_TREE": str(other)})

    assert result.code == 1
    assert ".env is in the git repository" in result.out


def test_a_hook_of_a_linked_worktree_sees_the_worktree(
    tracked: FakeProject, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    git(tracked.root, "worktree", "add", "--quiet", str(linked))
    shutil.copytree(tracked.root / "app", linked / "app")
    shutil.copytree(tracked.root / ".venv", linked / ".venv", symlinks=True)
    shutil.copy(tracked.root / "answers.json", linked)
    (linked / ".env").chmod(0o600)
    (linked / "requirements-dev.txt").write_text("# nothing\n")
    git(linked, "rm", "--quiet", "--cached", ".env")
    (linked / ".git-said").write_text("")
    hook = tracked.root / ".git/hooks/pre-commit"
    hook.write_text('#!/bin/sh\n"$PYTHON" -m authkit doctor > .git-said 2>&1; true\n')
    hook.chmod(0o755)
    (linked / ".gitignore").write_text(".env\n")

    (linked / "new").touch()
    git(linked, "add", ".gitignore", "new")
    python = shutil.which("python", path=str(Path(sys.executable).parent)) or ""
    subprocess.run(
        ["git", "-c", "user.name=o", "-c", "user.email=o@localhost", "commit", "-qm", "without"],
        cwd=linked,
        env=environ({"PYTHON": python}),
        check=True,
    )

    assert ".env is in the git repository" not in (linked / ".git-said").read_text()
    assert "Nothing to fix" in (linked / ".git-said").read_text()


def test_a_git_that_refuses_is_a_finding(tracked: FakeProject) -> None:
    """As in a container: the files are another user's."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    shutil.rmtree(tracked.root / ".git" / "hooks")
    os.chown(tracked.root, 12345, 12345)
    os.chown(tracked.root / ".git", 12345, 12345)

    result = tracked.run("doctor", "--project", str(tracked.root))

    assert result.code == 1
    assert "git refuses to say whether .env and its secrets are committed" in result.out
    assert f"git config --global --add safe.directory {tracked.root}" in result.out


def test_a_machine_without_git_is_a_finding(tracked: FakeProject, tmp_path: Path) -> None:
    result = tracked.run("doctor", env={"PATH": str(tmp_path)})

    assert result.code == 1
    assert "git is not installed" in result.out


def test_inside_another_repository_there_is_none_of_its_own(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("/ignored/\n")

    inside = authkit("new", "services/api", "--no-install", "-y", "--json", cwd=tmp_path)
    ignored = authkit("new", "ignored/api", "--no-install", "-y", "--json", cwd=tmp_path)

    assert inside.code == 0, inside.err
    assert (inside.json["commit"], inside.json["inside"]) == (None, str(tmp_path))
    assert f"no repository of its own: it is inside that of {tmp_path}" in inside.err
    assert not (tmp_path / "services/api/.git").exists()
    commit(tmp_path)
    assert ".env" not in git(tmp_path, "ls-files", "services/api").splitlines()
    assert ignored.json["commit"], "what the repository ignores is not in it"
    assert (tmp_path / "ignored/api/.git").is_dir()


def test_a_filter_that_changes_files_stops_the_commit_and_names_them(tmp_path: Path) -> None:
    """From a template of repositories, which no setting switches off."""
    (tmp_path / "template/info").mkdir(parents=True)
    (tmp_path / "template/info/attributes").write_text(
        "README.md text eol=crlf ident\n*.md filter=x\n"
    )
    config = '[init]\n\ttemplateDir = {0}/template\n[filter "x"]\n\tclean = tr a b\n'
    (tmp_path / ".gitconfig").write_text(config.format(tmp_path))

    result = authkit(
        "new", str(tmp_path / "api"), "--no-install", "-y", env={"HOME": str(tmp_path)}
    )

    assert result.code == 1
    assert "git's first commit is not what was made: AGENTS.md, README.md" in result.err
    assert not (tmp_path / "api").exists()


def test_an_empty_file_system_with_what_it_has_by_itself_is_empty(tmp_path: Path) -> None:
    """The root of a mounted disk has lost+found, and no parent that could be written to."""
    target = tmp_path / "api"
    (target / "lost+found").mkdir(parents=True)
    tmp_path.chmod(0o555)
    try:
        result = without_privileges("new", ".", "--no-install", "-y", cwd=target)
    finally:
        tmp_path.chmod(0o755)

    assert result.code == 0, result.err
    assert (target / "app/main.py").is_file()
    assert [path for path in target.iterdir() if path.name.startswith(".api")] == []
