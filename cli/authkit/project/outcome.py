"""What the project's own commands said: data, or why they failed."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from authkit.project.system import in_environment
from authkit.terminal.errors import FAILED, USAGE, AuthkitError, UsageError

# What `app.manage` says about a failure; wrong settings take a line each.
LABELLED = re.compile(r"(?ms)^error: (?P<error>.+?)(?:^hint: (?P<hint>[^\n]*)|\Z)")
NO_ID = re.compile(r"argument \S+: invalid UUID value: (.+)")
ID = "5f0c4a52-5d0c-4c0e-9a58-3c2f1d7e8b90"
EVENT = re.compile(r'\{(?=.*"event":)(?=.*"actor":).*\}\s*$')


def answer_of(
    result: subprocess.CompletedProcess[str], *args: str, operands: Sequence[str] = ()
) -> Any:
    """What `python -m app.manage` printed as JSON; its failure becomes ours."""
    if not result.stdout.strip():
        if result.returncode == 0:
            return None
        raise failure_of(result, f"python -m app.manage {' '.join([*args, *operands])}")
    sys.stderr.write(for_whoever_reads(result.stderr))
    try:
        return json.loads(result.stdout)
    except ValueError:
        raise AuthkitError(
            f"python -m app.manage {' '.join(args)} printed something that is not JSON",
            "does the project print while it is imported? Use the log instead",
        ) from None


def for_whoever_reads(stderr: str) -> str:
    """What a command said besides; a person has no use for the log's lines of what they did.

    Where the system has no log, as in a container, those are on standard error.
    """
    if not sys.stderr.isatty():
        return stderr
    return "".join(line for line in stderr.splitlines(True) if not EVENT.match(line))


def failure_of(result: subprocess.CompletedProcess[str], command: str) -> AuthkitError:
    """What the project said about its failure: `error: …` and `hint: …`, or its last line."""
    said = in_our_words(result.stderr)
    labelled = LABELLED.search(said)
    if labelled:
        exit_code = USAGE if result.returncode == USAGE else FAILED
        return AuthkitError(labelled["error"].rstrip(), labelled["hint"] or "", exit_code)
    last = reason_of(result)
    if result.returncode == USAGE:  # argparse: "prog: error: argument role: invalid choice"
        return UsageError(
            NO_ID.sub(r"\1 is no id; one is like " + ID, last.rpartition(": error: ")[2])
        )
    runs = command.startswith(("python ", "alembic "))
    hint = f"see all of it, in the project: {in_environment(command)}" if runs else ""
    return AuthkitError(f"`{command}` failed: {last}", hint)


def reason_of(result: subprocess.CompletedProcess[str]) -> str:
    """Why a command failed, in one line of its own words.

    Alembic says on standard output what its user did wrong, whatever warnings stand on the other.
    """
    failed = [line.strip() for line in result.stdout.splitlines() if "FAILED: " in line]
    if failed:
        return failed[-1].removeprefix("FAILED: ")
    last = reason_in(in_our_words(result.stderr)) or reason_in(result.stdout)
    return last or f"exit code {result.returncode}"


def reason_in(said: str) -> str:
    """The line of an output, often a traceback, that says why it failed."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # SQLAlchemy ends what it says with a link; what the database said stands in the first line.
    if lines and lines[-1].startswith("(Background on this error"):
        lines = [line for line in lines if ".exc." in line or ">: " in line] or lines
    return lines[-1] if lines else ""


def in_our_words(advice: str) -> str:
    """The project's plain commands as ours: they work wherever the user stands."""
    advice = advice.replace("python -m alembic upgrade head", "authkit migrate")
    advice = advice.replace("python -m app.manage check", "authkit doctor")
    return re.sub(r"python -m app\.manage (?=(?:seed|user|token|keys|purge)\b)", "authkit ", advice)
