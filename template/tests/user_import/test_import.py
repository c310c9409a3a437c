"""Users move in with their passwords: whole or nothing, and each hash opens for its password."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import bcrypt
import httpx
import pytest
from sqlalchemy import update

from app.accounts.models import User
from app.accounts.passwords import PasswordHasher
from app.user_import.foreign_hashes import verifier_of
from app.user_import.hashes import stored_form
from app.user_import.settings import ImportSettings
from tests.helpers import PASSWORD, Tables, error_code
from tests.live import environment
from tests.manage.conftest import Manage, manage, project  # noqa: F401 - fixtures

HASHES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "hashes.json").read_text(encoding="utf-8")
)
"""Of PASSWORD, made by Django 5.2, Werkzeug 3.1, argon2-cffi 25.1 and as Keycloak 26 and Spring
Security 6.5 spell them, with less work than they ask for today."""

BCRYPT = HASHES["bcrypt $2a$"]

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str, name: str = "users.csv") -> str:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write_file


@pytest.mark.parametrize("system", HASHES)
async def test_who_moved_in_signs_in_and_has_a_hash_of_ours_from_then_on(
    system: str, client: httpx.AsyncClient, database: Tables
) -> None:
    user = {"email": "ada@example.com", "password": PASSWORD}
    await client.post("/api/auth/register", json=user)
    stored = stored_form(HASHES[system])
    await database.execute(update(User).values(password_hash=stored))

    wrong = await client.post("/api/auth/login", json=user | {"password": "Wrong-Horse-7"})
    assert (wrong.status_code, error_code(wrong)) == (401, "invalid_credentials")
    assert (await database.user()).password_hash == stored
    assert (await client.post("/api/auth/login", json=user)).status_code == 200
    assert (await database.user()).password_hash.startswith("$2b$04$")
    assert (await client.post("/api/auth/login", json=user)).status_code == 200


async def work_of(hasher: PasswordHasher, stored: str | None, made: list[int]) -> int:
    made.clear()
    await hasher.verify("Wrong-Horse-7", stored)
    return sum(made)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each call of bcrypt cost: two to the power of its cost."""
    done: list[int] = []
    for name in ("hashpw", "checkpw"):
        real = getattr(bcrypt, name)

        def counted(password: bytes, salt: bytes, real: Any = real) -> Any:
            done.append(2 ** int(salt[4:6]))
            return real(password, salt)

        monkeypatch.setattr(bcrypt, name, counted)
    return done


async def test_a_refusal_fills_up_what_another_kind_lacks(made: list[int]) -> None:
    """As much as bcrypt at that cost, less what the other took."""
    hasher = PasswordHasher(8)

    assert 2**6 < await work_of(hasher, stored_form(HASHES["Werkzeug pbkdf2"]), made) <= 2**9
    hasher.close()


async def test_a_dearer_hash_of_another_kind_makes_every_refusal_as_dear(made: list[int]) -> None:
    """Django asks for a million rounds; from the first that is met on, nobody is told by the
    time."""
    hasher = PasswordHasher(5)
    assert await work_of(hasher, None, made) == 2**5
    dear = HASHES["Django pbkdf2_sha256"].replace("$1000$", "$50000$")

    await work_of(hasher, stored_form(dear), made)

    assert await work_of(hasher, None, made) > 2**6
    hasher.close()


def test_firebase_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example that Firebase publishes beside its scrypt, with the key of that example."""
    key = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
    hashed = (
        "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
    )
    monkeypatch.setenv("FIREBASE_SIGNER_KEY", key)
    verify = verifier_of(f"firebase-scrypt$8$14$42xEC+ixf3L2lw==${hashed}")

    assert verify is not None
    assert verify(b"user1password")
    assert not verify(b"user2password")


DIGEST = "baA/oR+BilqH9uzjyRrR2zPwimCPtdQSLzGAj82mkC0="

CAN_NOT_BE_COMPUTED = (
    "pbkdf2_sha256$1000$salt$" + DIGEST[:41],
    "pbkdf2_sha256$1000$sa\x00lt$" + DIGEST,
    "pbkdf2_sha256$1000$sa\ud800lt$" + DIGEST,
    "pbkdf2_sha256$\u0661\u0660$salt$" + DIGEST,
    "bcrypt_sha256$$2b$01$" + "." * 53,
    "bcrypt_sha256$$2b$04$" + "z" * 53,
    "scrypt:1000:8:1$salt$" + "00" * 64,
    "scrypt:1:8:1$salt$" + "00" * 64,
    "keycloak-pbkdf2-sha1$1000$a$" + DIGEST,
    "$argon2id$v=19$m=8,t=1,p=16$vLUnYnCthssdfgI0Lj6Jwg$Sd6LLrWXKTzhO1ILIiQHYGEYUaJOdZO/7wRauYLICfg",
    "pbkdf2_sha256$1000$salt$aGE=",  # two bytes: guessed
    "keycloak-pbkdf2-sha1$2000000$KmEArtuged4s1eFmCMpKWg$" + "A" * 132,  # the rounds five times
)
"""Each sign-in of such a user was a 500, or opened or cost what it should not."""


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "secret",
        "$2b$31$" + "." * 53,
        "$2b$17$" + "." * 53,
        "$1$salt$" + "a" * 22,
        "$argon2id$v=19$m=9999999,t=1,p=1$vLUnYnCthssdfgI0Lj6Jwg$Sd6LLrWXKTzhO1ILIiQHYGEYUaJOdZO",
        "$argon2i$v=19$m=1024,t=1,p=1$vLUnYnCthssdfgI0Lj6Jwg$Sd6LLrWXKTzhO1ILIiQHYGEYUaJOdZO",
        "pbkdf2_sha256$99999999$salt$aGFzaA==",
        "scrypt:1048576:8:1$salt$" + "00" * 64,
        "firebase-scrypt$8$20$42xEC+ixf3L2lw==$aGFzaA==",
        HASHES["argon2id"] + "\n",
        *CAN_NOT_BE_COMPUTED,
        {"secretData": "{}", "credentialData": "{}"},
        {"secretData": "[", "credentialData": "{}"},
        {},
        7,
    ],
)
def test_a_hash_that_is_not_known_or_too_dear_is_refused(hashed: Any) -> None:
    with pytest.raises(ValueError, match="the hash is"):
        stored_form(hashed)


def test_a_csv_file_is_taken_over(manage: Manage, write: Write) -> None:  # noqa: F811
    file = write(
        "\ufeffemail,name,role,active,created,hash\r\n"
        f"Ada@Example.com,Ada,admin,true,2024-02-29T12:00:00Z,{BCRYPT}\r\n"
        '"bob@example.com","Bob ""B""",,no,2024-01-01,\r\n'
    )

    assert manage("user", "import", file, "--dry-run").data["imported"] == 2
    assert manage("user", "list").data["total"] == 0
    outcome = manage("user", "import", file)
    again = manage("user", "import", file)

    assert outcome.data == {"imported": 2, "thereAlready": 0, "dryRun": False}
    assert again.data == {"imported": 0, "thereAlready": 2, "dryRun": False}
    bob, ada = manage("user", "list").data["users"]
    assert (ada["email"], ada["role"], ada["isActive"]) == ("ada@example.com", "admin", True)
    assert ada["createdAt"] == "2024-02-29T12:00:00.000000Z"
    assert (bob["name"], bob["role"], bob["isActive"]) == ('Bob "B"', "user", False)


def test_a_file_of_json_lines_is_taken_over(manage: Manage, write: Write) -> None:  # noqa: F811
    rows = [
        {"email": "ada@example.com", "active": False, "hash": HASHES["Keycloak pbkdf2-sha512"]},
        {"email": "bob@example.com", "name": None},
    ]
    file = write("\n".join(json.dumps(row) for row in rows) + "\n\n", "users.jsonl")

    assert manage("user", "import", file).data["imported"] == 2


FIREBASE = f"firebase-scrypt$8$14$42xEC+ixf3L2lw==${'A' * 88}"


def test_a_name_is_what_the_api_takes(manage: Manage, write: Write) -> None:  # noqa: F811
    """The joiners of Persian and of emoji, and the spaces of French."""
    names = ["Zo\u200cya", "Ada\u00a0L.", "👩\u200d💻"]
    lines = [f"user{number}@example.com,{name}\n" for number, name in enumerate(names)]
    file = write("".join(["email,name\n", *lines]))

    assert manage("user", "import", file).data["imported"] == len(names)
    taken = {user["name"] for user in manage("user", "list").data["users"]}
    assert taken == set(names)


@pytest.mark.parametrize("name", ["FIREBASE_SIGNER_KEY", "FIREBASE_SALT_SEPARATOR"])
def test_what_firebase_needs_is_checked_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "no base64")
    with pytest.raises(ValueError, match="must be base64"):
        ImportSettings()


ADA = "email,role,active,created,hash\nada@example.com,user,1,,\n"


@pytest.mark.parametrize(
    ("text", "name", "line", "problem"),
    [
        (ADA + "x,user,1,,\n", "u.csv", 3, "must be an e-mail address"),
        (ADA + "b@example.com,root,1,,\n", "u.csv", 3, "role must be user or admin"),
        (ADA + "b@example.com,user,maybe,,\n", "u.csv", 3, "active must be true or false"),
        (ADA + "b@example.com,user,1,yesterday,\n", "u.csv", 3, "created must be a moment"),
        (ADA + "b@example.com,user,1,2999-01-01,\n", "u.csv", 3, "not be in the future"),
        (ADA + "b@example.com,user,1,0001-01-01T00:00+14:00,\n", "u.csv", 3, "must be a moment"),
        (ADA + "b@example.com,user,1,,secret\n", "u.csv", 3, "the hash is of no known kind"),
        (ADA + "b@example.com,user,1\n", "u.csv", 3, "more fields, or fewer"),
        (ADA + "b@example.com,user,1,,,\n", "u.csv", 3, "more fields, or fewer"),
        (ADA + "ADA@example.com,user,1,,\n", "u.csv", 3, "stands on line 2 as well"),
        ("email,password\na@example.com,x\n", "u.csv", 1, "the fields are email"),
        ("name\nAda\n", "u.csv", 1, "the fields are email"),
        ("", "u.csv", 1, "the fields are email"),
        ('{"email": "a@example.com"}\n{', "u.jsonl", 2, "it is not JSON"),
        ('{"email": "a@example.com"}\n[]', "u.jsonl", 2, "it is no JSON object"),
        ('{"email": "a@example.com"}\n{"mail": "x"}', "u.jsonl", 2, "the fields are email"),
        ('{"email": "a@example.com", "active": []}', "u.jsonl", 1, "active must be"),
        ('{"email": 7}', "u.jsonl", 1, "email must be text"),
        ('{"email": "a@example.com", "name": "a\\u0000b"}', "u.jsonl", 1, "name must have"),
        ('{"email": "a@example.com", "name": "a\\ud800b"}', "u.jsonl", 1, "name must have"),
        ('{"email": "a@example.com", "hash": 0}', "u.jsonl", 1, "the hash is no text"),
        ("email,email\na@example.com,b@example.com\n", "u.csv", 1, "a field is there twice"),
        (f"email,hash\na@example.com,{FIREBASE}\n", "u.csv", 2, "FIREBASE_SIGNER_KEY"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_imported(
    manage: Manage,  # noqa: F811
    write: Write,
    text: str,
    name: str,
    line: int,
    problem: str,
) -> None:
    outcome = manage("user", "import", write(text, name))

    assert outcome.exit_code == 1
    assert f", line {line}: " in outcome.err
    assert problem in outcome.err
    assert "nothing was imported" in outcome.err
    assert manage("user", "list").data["total"] == 0


def test_a_bad_row_in_a_later_piece_takes_the_earlier_back(
    manage: Manage,  # noqa: F811
    write: Write,
) -> None:
    lines = [f"user{number}@example.com\n" for number in range(2500)]
    file = write("".join(["email\n", *lines, "nobody\n"]))

    assert "line 2502" in manage("user", "import", file).err
    assert manage("user", "list").data["total"] == 0


@contextmanager
def amid_an_import(
    project: Path,  # noqa: F811
    lines: list[str],
) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """An import that has read the lines, and its pipe, which stays open: it waits for more."""
    pipe = project / "pipe.csv"
    os.mkfifo(pipe)
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "app.manage", "user", "import", str(pipe)],
        cwd=project,
        env=environment({}),
        stderr=subprocess.PIPE,
        text=True,
    )
    with process, pipe.open("w", encoding="utf-8") as end:
        end.writelines(lines)
        end.flush()
        assert process.stderr is not None
        assert process.stderr.readline() == "1,000 users\n"
        yield process, end


def test_an_import_that_is_killed_leaves_nothing_and_can_be_repeated(
    manage: Manage,  # noqa: F811
    project: Path,  # noqa: F811
    write: Write,
) -> None:
    lines = ["email\n", *[f"user{number}@example.com\n" for number in range(3000)]]
    with amid_an_import(project, lines[:2500]) as (process, _):
        process.kill()
        process.wait()
    assert manage("user", "list").data["total"] == 0

    file = write("".join(lines))

    assert manage("user", "import", file).data["imported"] == 3000
    assert manage("user", "import", file).data["thereAlready"] == 3000


def test_an_import_that_is_interrupted_says_so_in_one_sentence(
    manage: Manage,  # noqa: F811
    project: Path,  # noqa: F811
) -> None:
    lines = ["email\n", *[f"user{number}@example.com\n" for number in range(2500)]]
    with amid_an_import(project, lines) as (process, end):
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        end.close()
        said = process.stderr.read().splitlines()
        assert process.wait() == 130

    assert said[-1] == "error: interrupted; what was not committed is taken back"
    assert "Traceback" not in "".join(said)
    assert manage("user", "list").data["total"] == 0


def test_who_is_there_stays_as_they_are(manage: Manage, write: Write) -> None:  # noqa: F811
    before = manage("user", "create", "ada@example.com", "--name", "Ada", "--role", "admin").data
    file = write("email,name,role\neve@example.com,Eve,user\nADA@example.com,Other,user\n")

    outcome = manage("user", "import", file).data

    assert (outcome["imported"], outcome["thereAlready"]) == (1, 1)
    assert before.items() >= manage("user", "show", "ada@example.com").data.items() - {
        ("sessions", 0)
    }


def test_a_file_that_can_not_be_read_is_one_sentence(
    manage: Manage,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / "latin.csv").write_bytes(b"email,name\na@example.com,caf\xe9\n")
    for name, problem in (("no.csv", "No such file"), ("latin.csv", "not UTF-8")):
        outcome = manage("user", "import", str(tmp_path / name))
        assert (outcome.exit_code, problem in outcome.err) == (1, True)
