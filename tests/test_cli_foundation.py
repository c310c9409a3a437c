"""The command line as a whole: help, versions, mistakes, completion, start-up."""

import hashlib
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import jwt
import pytest
from tests.conftest import AUTHKIT, ESCAPE, FakeProject, authkit, environ, plain, terminal

from authkit import __version__
from authkit.cli import COMMANDS

SUBCOMMANDS = {
    "user": (
        *("create", "list", "show", "activate", "deactivate"),
        *("set-role", "set-password", "sessions", "revoke", "events"),
    ),
    "token": ("decode", "issue"),
    "keys": ("list", "rotate", "remove"),
}
ALL_COMMANDS = [
    command
    for names in COMMANDS.values()
    for name in names
    for command in ((name,), *((name, sub) for sub in SUBCOMMANDS.get(name, ())))
]


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    shown = authkit(*command, "--help")

    assert shown.code == 0
    assert f"Usage: authkit {' '.join(command)}" in shown.out
    assert f"authkit {' '.join(command)}" in shown.out.split("Examples:")[1]
    assert ESCAPE not in shown.out
    assert shown.err == ""


def test_help_lists_every_command_and_subcommand() -> None:
    overview = authkit("--help").out

    for names in COMMANDS.values():
        for name in names:
            assert f"\n  {name} " in overview
    for group, names in SUBCOMMANDS.items():
        page = authkit(group, "--help").out
        assert all(f"\n  {name} " in page for name in names)


def test_the_document_of_the_commands_is_what_they_say() -> None:
    script = Path(__file__).parents[1] / "scripts" / "commands_doc.py"
    check = subprocess.run([sys.executable, script, "--check"], env=environ(), check=False)

    assert check.returncode == 0, "out of date: python scripts/commands_doc.py"


def test_help_is_coloured_in_a_terminal_and_plain_under_no_color() -> None:
    assert ESCAPE in terminal("--help").out
    assert ESCAPE not in terminal("--help", env={"NO_COLOR": "1"}).out


def test_help_says_the_same_in_a_terminal_and_in_a_pipe() -> None:
    assert plain(terminal("serve", "--help").out).split() == authkit("serve", "--help").out.split()


def test_version() -> None:
    assert authkit("--version").out == f"authkit {__version__}\n"


@pytest.mark.parametrize(
    ("mistake", "error", "hint"),
    [
        (["srve"], "there is no command 'srve'", "did you mean serve"),
        (["user", "lst"], "there is no command 'lst'", "did you mean list?"),
        (["xyzzy"], "there is no command 'xyzzy'", "see authkit --help"),
        (["--versio"], "there is no option --versio", "did you mean --version?"),
        (["serve", "--prt", "1"], "there is no option --prt", "did you mean --port"),
        (["serve", "--port", "http"], "--port", "see authkit serve --help"),
        (["serve", "--port", "70000"], "--port", "see authkit serve --help"),
        (["user", "show"], "Missing argument 'EMAIL'", "see authkit user show --help"),
        (["seed", "now"], "unexpected extra argument", "see authkit seed --help"),
    ],
)
def test_a_mistyped_command_line_is_one_sentence_and_a_hint(
    mistake: list[str], error: str, hint: str
) -> None:
    refused = authkit(*mistake)

    assert refused.code == 2
    assert refused.out == ""
    first, second = refused.err.splitlines()
    assert first.startswith("error: ")
    assert error in first
    assert second.startswith("hint: ")
    assert hint in second


def test_outside_a_project_the_hint_says_how_to_get_one(tmp_path: Path) -> None:
    refused = authkit("info", cwd=tmp_path)

    assert refused.code == 1
    assert "is not inside a project" in refused.err
    assert "authkit new myapi" in refused.err


def test_a_project_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    assert authkit("info", "--project", str(tmp_path / "nowhere")).code == 2


def test_project_may_stand_before_or_after_the_command(fake: FakeProject) -> None:
    fake.answer("manage seed", [])
    fake.answer("manage keys list", [])
    before = authkit("--project", str(fake.root), "seed", "--json")
    after = authkit("seed", "--project", str(fake.root), "--json")
    named = ("--project", str(fake.root))
    nested = [
        authkit(*named, "keys", "list", "--json"),
        authkit("keys", *named, "list", "--json"),
        authkit("keys", "list", *named, "--json"),
    ]

    assert (before.code, before.out) == (after.code, after.out) == (0, "[]\n")
    assert [result.code for result in nested] == [0, 0, 0]
    assert [call["args"][0] for call in fake.calls] == ["seed", "seed", "keys", "keys", "keys"]


def test_a_project_is_found_from_below(fake: FakeProject) -> None:
    deep = fake.root / "app" / "api" / "v2"
    deep.mkdir(parents=True)

    assert authkit("info", "--json", cwd=deep).json["root"] == str(fake.root)


@pytest.fixture
def planted(fake: FakeProject) -> FakeProject:
    """A project of somebody else, in whose directory we happen to stand."""
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(fake.root, STRANGER, STRANGER)
    return fake


STRANGER = 12_345
NOBODY = "6f1f8c1e-2d0b-4c1e-9a53-0b7a1f2c3d4e"


@pytest.mark.parametrize("part", ["", ".copier-answers.yml", ".venv"])
def test_nothing_of_somebody_elses_project_is_run_unasked(planted: FakeProject, part: str) -> None:
    """As git does (`safe.directory`): its Python would run as us."""
    os.chown(planted.root, 0, 0)
    os.chown(planted.root / part, STRANGER, STRANGER)

    for cwd in (planted.root, below(planted.root)):
        refused = authkit("seed", cwd=cwd)
        assert refused.code == 1
        assert "belongs to somebody else, so nothing of that project is run" in refused.err
        assert f"--project {planted.root}" in refused.err
    assert planted.calls == []


def below(root: Path) -> Path:
    deep = root / "deep"
    deep.mkdir(exist_ok=True)
    return deep


def test_a_project_that_is_named_is_trusted(planted: FakeProject) -> None:
    planted.answer("manage seed", [])

    assert authkit("seed", "--project", str(planted.root), "--json").code == 0
    found_above = authkit("seed", "--project", str(below(planted.root)), "--json")
    assert (found_above.code, len(planted.calls)) == (1, 1)


def test_under_sudo_the_callers_project_is_the_callers(planted: FakeProject) -> None:
    planted.answer("manage seed", [])

    for uid, code in ((STRANGER, 0), (STRANGER + 1, 1)):
        result = authkit("seed", "--json", cwd=planted.root, env={"SUDO_UID": str(uid)})
        assert result.code == code


def test_no_token_is_verified_with_a_planted_key(planted: FakeProject) -> None:
    """What a stranger's JWT_SECRET verifies says nothing."""
    secret = "0123456789abcdef" * 4
    (planted.root / ".env").write_text(f"JWT_SECRET={secret}\n")
    token = project_token(secret)
    command = ("token", "decode", "--json", token)

    judged = authkit(*command, cwd=planted.root)
    named = authkit(*command, "--project", str(planted.root))

    assert (judged.json["verdict"], named.json["verdict"]) == ("UNVERIFIED", "VERIFIED")
    assert "belongs to somebody else" in judged.err


def project_token(secret: str) -> str:
    """As a project signs them, valid for long."""
    now = int(time.time())
    claims = {"iss": "app", "aud": "app", "sub": NOBODY, "sid": NOBODY, "jti": NOBODY}
    headers = {"typ": "at+jwt", "kid": hashlib.sha256(b"kid:" + secret.encode()).hexdigest()[:16]}
    return jwt.encode({**claims, "iat": now, "exp": now + 600}, secret, headers=headers)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_values(shell: str) -> None:
    def complete(line: str) -> str:
        words = len(line.split()) - (0 if line.endswith(" ") else 1)
        variables = {
            "_AUTHKIT_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_WORD_TO_COMPLETE": line.rsplit(maxsplit=1)[-1],
            "COMP_WORDS": line,
            "COMP_CWORD": str(words),
        }
        return authkit(env=variables).out

    assert "serve" in complete("authkit ser")
    assert "set-password" in complete("authkit user set-")
    assert "--workers" in complete("authkit serve --wo")
    assert "admin" in complete("authkit user set-role ada@example.com adm")


def test_help_starts_without_the_heavy_libraries() -> None:
    heavy = "copier", "sqlalchemy", "fastapi", "pydantic", "jwt", "yaml", "dotenv"
    program = f"""
import sys
sys.argv = ["authkit", "--help"]
from authkit.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
sys.exit(" ".join(name for name in {heavy!r} if name in sys.modules) or 0)
"""
    process = subprocess.run(
        [sys.executable, "-c", program],
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (process.returncode, process.stderr) == (0, "")


def test_a_closed_pipe_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(
        [*AUTHKIT, "--help"],
        env=environ(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)

    assert process.stderr == ""


@pytest.mark.parametrize("command", ["--help", "keys list", "keys list --json", "info --json"])
def test_a_full_disk_under_the_output_is_no_traceback(fake: FakeProject, command: str) -> None:
    fake.answer("manage keys", [{"kid": "0123456789abcdef", "use": "signing"}])
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [*AUTHKIT, *command.split()],
            cwd=fake.root,
            env=environ(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (process.returncode, process.stderr) == (1, "error: No space left on device\n")


@pytest.mark.parametrize("stream", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_is_closed_is_no_traceback(fake: FakeProject, stream: str) -> None:
    fake.answer("manage keys", [])
    for command in ("keys rotate", "info --json", "token decode -"):
        shell = f"{shlex.join(AUTHKIT)} {command} {stream}"
        process = subprocess.run(
            ["sh", "-c", shell],
            cwd=fake.root,
            env=environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

        assert process.returncode == (2 if "decode" in command else 0)
        assert "Traceback" not in process.stderr


@pytest.mark.parametrize("command", ["info", "new myapi", "new myapi --dry-run"])
def test_a_directory_that_was_removed_is_no_traceback(tmp_path: Path, command: str) -> None:
    shell = f"mkdir gone && cd gone && rmdir ../gone && {shlex.join(AUTHKIT)} {command}"
    process = subprocess.run(
        ["sh", "-c", shell],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert process.stderr.startswith("error: the current directory has been removed\n")


def test_a_terminal_without_unicode_gets_an_answer(fake: FakeProject) -> None:
    shown = fake.run("doctor", env={"PYTHONIOENCODING": "ascii"})

    assert shown.code == 0
    assert "Traceback" not in shown.err
