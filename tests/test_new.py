"""`authkit new`: what it makes, what it refuses, and that it leaves nothing half-made."""

import asyncio
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import asyncpg
import pytest
from tests import services
from tests.conftest import AUTHKIT, Result, authkit, environ, plain, terminal

from authkit import __version__

FILES_ALONE = ("--no-install", "--no-git")


def git(directory: Path, *args: str) -> str:
    return subprocess.run(
        ["git", *args], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


def new(directory: Path, *args: str, **how: object) -> Result:
    """`authkit new myapi` and its options, run in `directory`."""
    return authkit("new", "myapi", *args, cwd=directory, **how)  # type: ignore[arg-type]


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def env_of(project: Path) -> dict[str, str]:
    lines = (project / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


class TestResult:
    def test_is_a_repository_with_one_commit_and_nothing_left_to_commit(
        self, tmp_path: Path
    ) -> None:
        assert new(tmp_path, "--no-install").code == 0

        project = tmp_path / "myapi"
        assert git(project, "rev-list", "--count", "HEAD").strip() == "1"
        assert git(project, "status", "--porcelain") == ""
        assert ".env" not in git(project, "ls-files").splitlines()
        assert names_in(tmp_path) == ["myapi"]

    def test_has_an_env_file_for_its_owner_alone_with_fresh_secrets(self, tmp_path: Path) -> None:
        found = set()
        for name in ("one", "two"):
            assert authkit("new", str(tmp_path / name), *FILES_ALONE).code == 0
            assert (tmp_path / name / ".env").stat().st_mode & 0o777 == 0o600
            found.add(env_of(tmp_path / name)["JWT_SECRET"])

        assert len(found) == 2
        assert all(len(secret) >= 64 for secret in found)

    def test_answers_name_the_template_by_a_path_that_is_good_in_every_home(
        self, tmp_path: Path
    ) -> None:
        assert new(tmp_path, *FILES_ALONE, env={"HOME": str(tmp_path / "home")}).code == 0

        answers = (tmp_path / "myapi" / ".copier-answers.yml").read_text()
        assert f"_commit: v{__version__}\n" in answers
        assert "_src_path: ~/.local/share/authkit/template.bundle\n" in answers
        assert not (tmp_path / "home").exists(), "a name, where nothing has to be"
        assert str(tmp_path) not in answers

    def test_is_the_same_every_time_but_for_the_secret(self, tmp_path: Path) -> None:
        trees = []
        for home in ("one", "two"):
            (tmp_path / home).mkdir()
            environment = {"HOME": str(tmp_path / home)}
            assert new(tmp_path / home, "--no-install", env=environment).code == 0
            trees.append(git(tmp_path / home / "myapi", "rev-parse", "HEAD^{tree}"))

        assert trees[0] == trees[1]

    def test_ignores_the_git_configuration_of_the_user(self, tmp_path: Path) -> None:
        """CRLF conversion, hooks and signing would change or stop what is made."""
        hooks = tmp_path / "hooks"
        hooks.mkdir()
        for name in ("pre-commit", "post-checkout", "commit-msg"):
            (hooks / name).write_text("#!/bin/sh\nexit 1\n")
            (hooks / name).chmod(0o755)
        (tmp_path / ".gitconfig").write_text(
            f"[core]\n\tautocrlf = true\n\thooksPath = {hooks}\n[commit]\n\tgpgSign = true\n"
        )

        result = new(tmp_path, "--no-install", env={"HOME": str(tmp_path), "GIT_DIR": "/nowhere"})

        assert result.code == 0, result.err
        assert b"\r\n" not in (tmp_path / "myapi" / "pyproject.toml").read_bytes()

    def test_says_who_git_does_not_know(self, tmp_path: Path) -> None:
        environment = {"HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull}
        (tmp_path / "home-config").write_text("[user]\n\tuseConfigOnly = true\n")
        environment["GIT_CONFIG_GLOBAL"] = str(tmp_path / "home-config")

        result = new(tmp_path, "--no-install", env=environment)

        assert result.code == 0, result.err
        assert "git config --global user.email" in result.err

    def test_json_is_alone_on_stdout(self, tmp_path: Path) -> None:
        result = new(tmp_path, "--no-install", "--json")

        assert result.json["name"] == "myapi"
        assert result.json["path"] == str(tmp_path / "myapi")
        assert result.json["commit"] == git(tmp_path / "myapi", "rev-parse", "HEAD").strip()
        assert {"render", "secrets", "git"} == set(result.json["seconds"])
        assert result.json["next"][0] == "cd myapi"
        command = shlex.split(result.json["next"][-1])
        assert command[-1] == "serve"
        assert shutil.which(command[0]), "what to type next works as it is written"

    def test_the_current_directory_can_be_the_target(self, tmp_path: Path) -> None:
        target = tmp_path / "My Shop"
        target.mkdir()
        inode = target.stat().st_ino

        result = authkit("new", ".", "--no-install", "--json", cwd=target)

        assert result.json["name"] == "my-shop"
        assert target.stat().st_ino == inode, "the shell's current directory must stay the same"
        assert (target / "pyproject.toml").is_file()

    def test_parents_are_made(self, tmp_path: Path) -> None:
        assert authkit("new", str(tmp_path / "a" / "b" / "myapi"), *FILES_ALONE).code == 0

        assert (tmp_path / "a" / "b" / "myapi" / ".env").is_file()


class TestChoices:
    @pytest.mark.parametrize("database", ["sqlite", "postgres"])
    @pytest.mark.parametrize("limits", ["memory", "redis"])
    def test_only_the_env_file_and_the_answers_differ(
        self, tmp_path: Path, database: str, limits: str
    ) -> None:
        result = new(tmp_path, "--database", database, "--limits", limits, *FILES_ALONE)

        assert result.code == 0, result.err
        env = env_of(tmp_path / "myapi")
        urls = {
            "sqlite": "sqlite:///./app.db",
            "postgres": "postgresql://postgres@127.0.0.1:5432/myapi",
        }
        assert env["DATABASE_URL"] == urls[database]
        assert env["REDIS_URL"] == {"memory": "", "redis": "redis://127.0.0.1:6379/0"}[limits]
        answers = (tmp_path / "myapi" / ".copier-answers.yml").read_text()
        assert f"database: {database}\nlimits: {limits}\n" in answers

    def test_a_url_tells_the_choice(self, tmp_path: Path) -> None:
        urls = (
            "--database-url",
            "postgres://me@db.test/shop",
            "--redis-url",
            "rediss://cache.test",
        )

        result = new(tmp_path, *urls, *FILES_ALONE, "--json")

        assert (result.json["database"], result.json["limits"]) == ("postgres", "redis")
        assert env_of(tmp_path / "myapi")["DATABASE_URL"] == "postgres://me@db.test/shop"

    def test_a_password_comes_from_the_environment(self, tmp_path: Path) -> None:
        url = "postgresql://me:not%20a-secret@db.test/shop"

        result = new(tmp_path, *FILES_ALONE, env={"AUTHKIT_DATABASE_URL": url})

        assert result.code == 0, result.err
        assert env_of(tmp_path / "myapi")["DATABASE_URL"] == url
        assert "not%20a-secret" not in result.out + result.err

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (("--database-url", "postgresql://me:hunter2@db.test/x"), "AUTHKIT_DATABASE_URL"),
            (("--redis-url", "redis://:hunter2@cache.test"), "AUTHKIT_REDIS_URL"),
            (("--database-url", "postgresql://db/x?password=hunter2"), "AUTHKIT_DATABASE_URL"),
            (("--redis-url", "redis://cache.test?password=hunter2"), "AUTHKIT_REDIS_URL"),
            (("--database-url", "postgres:hunter2@db.test/x"), "postgresql://"),
            (("--database-url", "postgresql://"), "can't be read"),
            (("--database-url", "sqlite:///:memory:"), "names a file"),
            (("--database-url", "sqlite://app.db"), "names a file"),
            (("--database", "sqlite", "--database-url", "postgresql://db.test/x"), "contradicts"),
            (("--limits", "memory", "--redis-url", "redis://cache.test"), "contradicts"),
            (("--database-url", "mysql://db.test/x"), "postgresql://"),
            (("--redis-url", "nonsense"), "redis://"),
            (("--redis-url", "redis://cache.test:x"), "can't be read"),
            (("--database-url", "postgresql://[::1/x"), "postgresql://postgres@"),
            (("--database", "oracle"), "oracle"),
            (("--database-url", "sqlite:///it's.db"), "percent-encode"),
        ],
    )
    def test_what_makes_no_sense_is_a_usage_error(
        self, tmp_path: Path, args: tuple[str, ...], words: str
    ) -> None:
        result = new(tmp_path, *args, *FILES_ALONE)

        assert result.code == 2
        assert words in result.err
        assert "hunter2" not in result.out + result.err
        assert "Traceback" not in result.err
        assert names_in(tmp_path) == []

    def test_the_path_is_required(self, tmp_path: Path) -> None:
        result = authkit("new", cwd=tmp_path)

        assert result.code == 2
        assert "PATH" in result.err

    def test_a_terminal_gets_questions(self, tmp_path: Path) -> None:
        url = "postgresql://me@db.test/x"
        dialogue = [
            ("database?", "postgres"),
            ("URL?", url),
            ("limits counted?", ""),
            ("Which parts, of sessions", "none"),
            ("need to change their address", "password"),
        ]

        result = terminal("new", "myapi", *FILES_ALONE, cwd=tmp_path, dialogue=dialogue)

        assert result.code == 0, result.out
        assert env_of(tmp_path / "myapi")["DATABASE_URL"] == url
        assert env_of(tmp_path / "myapi")["EMAIL_CHANGE"] == "password"
        assert not (tmp_path / "myapi/app/api/sessions.py").exists()
        assert "authkit serve" in plain(result.out)

    def test_a_terminal_gets_no_question_with_defaults(self, tmp_path: Path) -> None:
        result = terminal("new", "myapi", "-y", *FILES_ALONE, cwd=tmp_path)

        assert result.code == 0
        assert "?" not in plain(result.out)


class TestDryRun:
    def test_lists_exactly_what_would_be_made(self, tmp_path: Path) -> None:
        listed = new(tmp_path, *FILES_ALONE, "--dry-run")
        installed = new(tmp_path, "--dry-run")
        assert names_in(tmp_path) == []
        assert new(tmp_path, *FILES_ALONE).code == 0

        project = tmp_path / "myapi"
        made = {p.relative_to(project).as_posix() for p in project.rglob("*") if p.is_file()}
        assert set(listed.out.splitlines()) == made
        assert set(installed.out.splitlines()) == {*made, "openapi.json"}, "its API says that"
        again = new(tmp_path / "myapi", *FILES_ALONE, "--dry-run", "--json")
        assert set(again.json["files"]) == made

    def test_refuses_what_the_real_run_would_refuse(self, tmp_path: Path) -> None:
        (tmp_path / "myapi").write_text("")

        assert new(tmp_path, "--dry-run").code == 1


class TestForce:
    def test_without_it_a_directory_with_files_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "myapi").mkdir()
        (tmp_path / "myapi" / "notes.txt").write_text("mine")

        result = new(tmp_path, *FILES_ALONE)

        assert result.code == 1
        assert "--force" in result.err
        assert names_in(tmp_path / "myapi") == ["notes.txt"]

    def test_with_it_every_file_of_the_owner_is_still_there(self, tmp_path: Path) -> None:
        project = tmp_path / "myapi"
        (project / "app").mkdir(parents=True)
        for name in ("notes.txt", "pyproject.toml", "app/mine.py", "app/config.py", ".env"):
            (project / name).write_text("mine")

        result = new(tmp_path, "--no-install", "--force")

        assert result.code == 0, result.err
        assert (project / "notes.txt").read_text() == "mine"
        assert (project / "app" / "mine.py").read_text() == "mine"
        for name in ("pyproject.toml", "app/config.py", ".env"):
            assert (project / ".before-authkit" / name).read_text() == "mine"
            assert (project / name).read_text() != "mine"
            assert f".before-authkit/{name}" in result.err
        assert git(project, "status", "--porcelain", "--ignored", ".before-authkit").startswith(
            "!!"
        )

    def test_a_repository_is_left_to_its_owner(self, tmp_path: Path) -> None:
        project = tmp_path / "myapi"
        project.mkdir()
        git(project, "init", "--quiet")

        result = new(tmp_path, "--no-install", "--force")

        assert result.code == 0, result.err
        assert "commit" in result.err
        assert git(project, "rev-list", "--all") == ""
        assert "?? pyproject.toml" in git(project, "status", "--porcelain")

    def test_a_second_time_keeps_what_the_first_kept(self, tmp_path: Path) -> None:
        for _ in range(3):
            assert new(tmp_path, *FILES_ALONE, "--force").code == 0

        kept = sorted(path.name for path in (tmp_path / "myapi").glob(".before-authkit*"))
        assert kept == [".before-authkit", ".before-authkit-2"]


class TestFailure:
    """Whatever goes wrong: one sentence, a hint, and not a trace on the disk."""

    @staticmethod
    def assert_clean_failure(result: Result, directory: Path, *words: str) -> None:
        assert result.code == 1, result.err
        assert "error: " in result.err
        assert "hint: " in result.err
        assert "Traceback" not in result.err
        for word in words:
            assert word in result.err
        assert names_in(directory) == []

    def test_no_network(self, tmp_path: Path) -> None:
        offline = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache")}
        (tmp_path / "work").mkdir()

        result = new(tmp_path / "work", env=offline)

        self.assert_clean_failure(result, tmp_path / "work", "go online once")

    def test_no_index(self, tmp_path: Path) -> None:
        result = new(tmp_path, env={"PIP_NO_INDEX": "1"})

        self.assert_clean_failure(result, tmp_path, "take no-index (PIP_NO_INDEX) away")

    def test_no_postgres(self, tmp_path: Path) -> None:
        result = new(tmp_path, "--database-url", "postgresql://me@127.0.0.1:1/x")

        self.assert_clean_failure(result, tmp_path, "127.0.0.1:1", "--no-install")

    def test_no_git(self, tmp_path: Path) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "work").mkdir()

        result = new(tmp_path / "work", "--no-install", env={"PATH": str(tmp_path / "bin")})

        self.assert_clean_failure(result, tmp_path / "work", "git is not installed")

    def test_no_permission(self, tmp_path: Path) -> None:
        """A file where a directory should be stands in: root may write everywhere."""
        (tmp_path / "file").write_text("")

        result = authkit("new", str(tmp_path / "file" / "myapi"), *FILES_ALONE)

        assert result.code == 1
        assert "error: " in result.err
        assert "Traceback" not in result.err
        assert names_in(tmp_path) == ["file"]

    def test_no_room(self, tmp_path: Path) -> None:
        """A limit on the size of files stands in for a full disk."""
        (tmp_path / "work").mkdir()
        limited = ["bash", "-c", 'ulimit -f 64; trap "" XFSZ; exec "$@"', "-"]
        process = subprocess.run(
            [*limited, *AUTHKIT, "new", "myapi", *FILES_ALONE],
            cwd=tmp_path / "work",
            env=environ({"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}),
            capture_output=True,
            text=True,
            check=False,
        )

        assert process.returncode == 1, process.stderr
        assert "Traceback" not in process.stderr
        assert names_in(tmp_path / "work") == []

    def test_no_home_is_no_obstacle(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("")
        (tmp_path / "work").mkdir()

        result = new(tmp_path / "work", *FILES_ALONE, env={"HOME": str(tmp_path / "home")})

        assert result.code == 0, result.err

    @pytest.mark.parametrize(
        ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
    )
    def test_interrupted_while_installing(
        self, tmp_path: Path, signum: signal.Signals, code: int
    ) -> None:
        """The index accepts the connection and says nothing: uv waits until the signal comes."""
        (tmp_path / "work").mkdir()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
            process = subprocess.Popen(
                [*AUTHKIT, "new", "a/b/myapi"],
                cwd=tmp_path / "work",
                env=environ({"UV_DEFAULT_INDEX": index, "UV_CACHE_DIR": str(tmp_path / "cache")}),
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            silent.settimeout(60)
            connection, _ = silent.accept()
            assert names_in(tmp_path / "work") == ["a"]
            process.send_signal(signum)
            _, err = process.communicate(timeout=30)
            connection.close()

        assert process.returncode == code, err
        assert "Traceback" not in err
        assert names_in(tmp_path / "work") == []

    def test_the_target_appears_meanwhile(self, tmp_path: Path) -> None:
        """Two at once: the second must not mix with the first."""
        processes = [
            subprocess.Popen(
                [*AUTHKIT, "new", "myapi", "--no-install", "--json"],
                cwd=tmp_path,
                env=environ(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        outputs = [process.communicate(timeout=60)[0] for process in processes]

        assert sorted(process.returncode for process in processes) == [0, 1]
        made = json.loads(next(out for out in outputs if out))
        assert git(tmp_path / "myapi", "rev-parse", "HEAD").strip() == made["commit"]
        assert names_in(tmp_path) == ["myapi"]


class TestInstalled:
    """The whole of it, with an environment and a database."""

    def test_everything_works_at_its_final_place(self, tmp_path: Path) -> None:
        """Built under another name, renamed at the end; another project's settings in the shell."""
        elsewhere = {"DATABASE_URL": f"sqlite:///{tmp_path}/elsewhere.db", "JWT_SECRET": "short"}

        result = new(tmp_path, "--json", env={**elsewhere, "LOG_LEVEL": "debug"})

        assert result.code == 0, result.err
        assert "they win over .env: DATABASE_URL, JWT_SECRET, LOG_LEVEL" in result.err
        steps = ["render", "environment", "secrets", "migrate", "seed", "git"]
        assert list(result.json["seconds"]) == steps
        assert [user["role"] for user in result.json["users"]] == ["admin", "user"]
        assert all(user["password"] for user in result.json["users"])
        assert names_in(tmp_path) == ["myapi"], "the other project's database was not touched"
        project = tmp_path / "myapi"
        assert (project / "app.db").is_file()
        assert git(project, "status", "--porcelain") == ""
        version = subprocess.run(
            [project / ".venv/bin/pytest", "--version"], capture_output=True, check=True, text=True
        )
        assert version.stdout.startswith("pytest ")
        again = authkit("seed", "--json", cwd=project)
        assert [user["email"] for user in again.json] == [u["email"] for u in result.json["users"]]

    def test_a_database_that_was_created_goes_when_a_later_step_fails(self, tmp_path: Path) -> None:
        """Here the last one: a git that can do all but commit. The URL is as providers show it."""
        name = f"authkit_{secrets.token_hex(6)}"
        url = f"{services.database_named(name)}?sslmode=prefer&channel_binding=prefer"
        real = shutil.which("git")
        fake = tmp_path / "bin" / "git"
        fake.parent.mkdir()
        fake.write_text(f'#!/bin/sh\ncase "$*" in *" commit "*) exit 1;; esac\nexec {real} "$@"\n')
        fake.chmod(0o755)
        (tmp_path / "work").mkdir()
        path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"

        result = new(tmp_path / "work", env={"AUTHKIT_DATABASE_URL": url, "PATH": path})

        assert result.code == 1
        assert "git commit failed" in result.err
        assert names_in(tmp_path / "work") == []
        assert name not in asyncio.run(databases())


async def databases() -> set[str]:
    connection = await asyncpg.connect(services.DATABASE_URL)
    rows = await connection.fetch("SELECT datname FROM pg_database")
    await connection.close()
    return {row["datname"] for row in rows}


def test_a_redis_that_is_away_is_told_but_no_failure(tmp_path: Path) -> None:
    result = new(tmp_path, "--redis-url", "redis://127.0.0.1:1", *FILES_ALONE)

    assert result.code == 0
    assert "limits are counted in memory" in result.err


def test_time_is_not_wasted_on_a_refusal(tmp_path: Path) -> None:
    """A name that can't be is told before anything else is looked at."""
    started = time.monotonic()

    result = authkit("new", str(tmp_path / "2fast"))

    assert result.code == 2
    assert "digit" in result.err
    assert time.monotonic() - started < 10
