"""`authkit doctor`: each finding, the command that fixes it, and silence when nothing is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import FakeProject, authkit, plain

from authkit import __version__

WRONG_DATABASE = {
    "id": "database",
    "severity": "error",
    "message": "the database does not answer",
    "fix": "start it, or correct DATABASE_URL",
}


@pytest.fixture
def project(fake: FakeProject) -> FakeProject:
    """A scripted project in a repository, with nothing to fix."""
    (fake.root / ".copier-answers.yml").write_text(f"_commit: v{__version__}\n")
    (fake.root / ".gitignore").write_text(".env\n.venv\n*.jsonl\n*.json\n")
    git(fake.root, "init", "--quiet")
    git(fake.root, "add", ".")
    git(fake.root, "commit", "--quiet", "--message", "Start")
    return fake


def git(root: Path, *args: str) -> None:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, *args], cwd=root, check=True)


def findings(project: FakeProject, *args: str, env: dict[str, str] | None = None) -> dict[str, str]:
    """The fix of each finding, by its id; the exit code agrees with there being any."""
    answer = project.run("doctor", "--json", *args, env=env)
    assert answer.code == (1 if answer.json else 0), answer.err
    assert all(set(f) == {"id", "severity", "message", "fix"} for f in answer.json)
    assert all(finding["fix"] for finding in answer.json)
    return {finding["id"]: finding["fix"] for finding in answer.json}


def install(project: FakeProject, name: str, version: str) -> None:
    """Put a package's metadata into the environment."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = project.root / ".venv" / "lib" / f"python{minor}" / "site-packages"
    metadata = packages / f"{name}-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_away_from_the_project_it_says_where_the_commands_belong(project: FakeProject) -> None:
    (project.root / ".env").chmod(0o644)
    there = f"the commands are for {project.root}"

    assert there not in project.run("doctor").err
    assert there in authkit("doctor", cwd=project.root / "app").err


def test_a_healthy_project_has_nothing_to_mend(project: FakeProject) -> None:
    assert findings(project) == {}

    seen = project.terminal("doctor")
    assert seen.code == 0
    assert "Nothing to fix." in plain(seen.out)


def test_what_the_project_finds_is_shown_in_our_words_errors_first(project: FakeProject) -> None:
    behind = {
        "id": "migrations",
        "severity": "warning",
        "message": "behind",
        "fix": "python -m alembic upgrade head",
    }
    weak = behind | {"id": "jwt_secret", "fix": "python -m app.manage keys rotate"}
    project.answer("manage check", [behind, weak, WRONG_DATABASE])

    assert findings(project) == {
        "database": "start it, or correct DATABASE_URL",
        "migrations": "authkit migrate",
        "jwt_secret": "authkit keys rotate",
    }
    lines = project.run("doctor").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["error", "warning", "warning"]


def test_production_is_asked_for(project: FakeProject) -> None:
    (project.root / "requirements.txt").write_text("")
    findings(project, "--production")

    assert project.calls[-1]["args"] == ["check", "--production", "--json"]


def test_an_application_that_cannot_be_asked_is_a_finding(project: FakeProject) -> None:
    project.answer("manage check", err="Traceback\nImportError: no module named notes\n", code=1)

    assert "python -m app.manage check" in findings(project)["application"]


def test_a_missing_environment_is_one_finding(project: FakeProject) -> None:
    (project.root / ".venv" / "bin" / "python").unlink()

    assert list(findings(project)) == ["application"]


def test_settings_of_a_part_that_is_not_there(project: FakeProject) -> None:
    """After `authkit remove jwks` nothing reads them, a private key among them."""
    with (project.root / ".env").open("a") as file:
        file.write("jwt_private_keys=canary.pem\nSERVICE_TOKENS=\n")
    [finding] = project.run("doctor", "--json").json
    assert finding["id"] == "part-settings"
    assert finding["message"].startswith("JWT_PRIVATE_KEYS is set, and nothing reads it")
    assert "authkit add jwks" in finding["fix"]
    assert "canary" not in str(finding)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_an_open_env_file(project: FakeProject, mode: int) -> None:
    (project.root / ".env").chmod(mode)
    assert findings(project) == {"env-mode": "chmod 600 .env"}

    (project.root / ".env").chmod(0o600)
    assert findings(project) == {}


def test_env_in_the_repository(project: FakeProject) -> None:
    git(project.root, "add", "--force", ".env")

    fix = findings(project)["env-tracked"]
    assert fix.startswith("git rm --cached .env")
    assert "authkit keys rotate" in fix
    assert "authkit keys remove" in fix  # until then what was published still verifies


def test_env_that_git_does_not_ignore(project: FakeProject) -> None:
    (project.root / ".gitignore").write_text(".venv\n")

    assert findings(project)["env-not-ignored"] == "echo .env >> .gitignore"


def test_an_environment_that_differs_from_the_lock(project: FakeProject) -> None:
    (project.root / "requirements-dev.txt").write_text(
        "# pinned\n"
        "same==1.0 \\\n    --hash=sha256:00\n"
        "Newer_Name==2.0 ; python_version >= '3.11' \\\n    --hash=sha256:00\n"
        "elsewhere==1.0 ; sys_platform == 'win32'\n"
        "gone==3.0\n"
    )
    for name, version in {"same": "1.0", "newer-name": "1.9", "pip": "23.0"}.items():
        install(project, name, version)
    message = project.run("doctor").out

    assert "gone 3.0 is missing, newer-name is 1.9 instead of 2.0\t" in message
    assert "requirements-dev.txt" in findings(project)["environment"]

    install(project, "gone", "3.0")
    install(project, "undeclared", "1.0")
    assert "undeclared is not in it" in project.run("doctor").out


def test_production_is_compared_with_the_runtime_lock(project: FakeProject) -> None:
    (project.root / "requirements.txt").write_text("same==1.0\n")
    install(project, "same", "1.0")
    install(project, "pytest", "9.0")

    assert findings(project, "--production") == {}


def test_a_missing_lock(project: FakeProject) -> None:
    (project.root / "requirements-dev.txt").unlink()

    assert findings(project) == {"environment": "git checkout -- requirements-dev.txt"}


def test_limits_in_memory_with_several_workers(project: FakeProject) -> None:
    several = {"WEB_CONCURRENCY": "4"}

    assert "REDIS_URL" in findings(project, env=several)["limits-in-memory"]
    assert findings(project, env=several | {"REDIS_URL": "redis://cache/0"}) == {}
    assert findings(project, env={"WEB_CONCURRENCY": "1"}) == {}


@pytest.mark.parametrize(
    ("version", "finding", "fix"),
    [
        ("v0.0.1", "template-behind", "authkit update"),
        ("v99.0.0", "authkit-behind", "python3 -m pip install --upgrade authkit-fastapi"),
        ("unknown", "answers", "git checkout -- .copier-answers.yml"),
    ],
)
def test_the_age_of_the_template(
    project: FakeProject, version: str, finding: str, fix: str
) -> None:
    (project.root / ".copier-answers.yml").write_text(f"_commit: {version}\n")
    git(project.root, "commit", "--quiet", "--all", "--message", "Other version")

    assert findings(project) == {finding: fix}


def test_an_answers_file_that_is_not_committed(project: FakeProject) -> None:
    answers = project.root / ".copier-answers.yml"
    answers.write_text(f"_commit: v{__version__}\ndatabase: postgres\n")
    assert list(findings(project)) == ["answers-uncommitted"]

    answers.write_text("{")
    assert findings(project)["answers"] == "git checkout -- .copier-answers.yml"


def test_outside_a_repository_git_is_not_missed(fake: FakeProject) -> None:
    (fake.root / ".copier-answers.yml").write_text(f"_commit: v{__version__}\n")

    assert findings(fake) == {}
