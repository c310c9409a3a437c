"""`authkit keys`: the keys that sign and verify tokens."""

from typing import Annotated, Any

import typer

from authkit.project.outcome import in_our_words
from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.options import JsonOption, ProjectOption, YesOption, confirm_or_stop

app = typer.Typer(
    no_args_is_help=True,
    help="""The keys that sign and verify tokens, replaced in steps that sign nobody out.

    A staged key only verifies. Once each host knows it, let it sign. The key before it still
    verifies until all its tokens have expired.

    Examples:

      authkit keys stage                       then restart each host
      authkit keys rotate                      then restart each host
      authkit keys retire                      a session's life and a day later; `list` says when
      authkit keys stage --algorithm EdDSA     move to a key pair (authkit add jwks)
    """,
)

Keys = list[dict[str, Any]]
AlgorithmOption = Annotated[
    str | None,
    typer.Option(
        "--algorithm",
        metavar="NAME",
        help="HS256 for a secret; EdDSA or ES256 for a key pair, with the part jwks.",
        show_default="what is staged, or HS256",
    ),
]


def show(keys: Keys, *, as_json: bool) -> None:
    if as_json:
        console.print_json([{**key, "next": _next(key)} if "next" in key else key for key in keys])
        return
    columns = ("key id", "use", "algorithm", "tokens", "age", "next")
    rows = [
        (
            *(key.get(name, "") for name in ("kid", "use", "algorithm", "tokens")),
            *(_age(key), _next(key) or ""),
        )
        for key in keys
    ]
    tables.table(columns, rows)


def _next(key: dict[str, Any]) -> str | None:
    """Projects from before 0.7.0 tell only the id and the use."""
    return in_our_words(key["next"]) if key.get("next") else None


def _age(key: dict[str, Any]) -> str:
    return "unknown" if key.get("days") is None else f"{key['days']} d"


@app.command("list")
def list_keys(project: ProjectOption = None, json: JsonOption = False) -> None:
    """List the keys: id, task, date, and the next step.

    The keys themselves are never shown.

    Examples:

      authkit keys list
      authkit keys list --json
    """
    show(Project.find(project).manage("keys", "list"), as_json=json)


@app.command()
def stage(
    algorithm: AlgorithmOption = None, project: ProjectOption = None, json: JsonOption = False
) -> None:
    """Make a key that verifies but does not sign yet. A second call makes no second key.

    Examples:

      authkit keys stage
      authkit keys stage --algorithm EdDSA
    """
    show(Project.find(project).manage("keys", "stage", *_option(algorithm)), as_json=json)
    console.message("Restart each host, one after another; then: authkit keys rotate")


@app.command()
def rotate(
    algorithm: AlgorithmOption = None,
    project: ProjectOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Sign with the staged key from the next start on; the present key still verifies.

    If no key is staged, a new one signs at once. Use that only with one host: of several, those not
    restarted yet refuse the new key's tokens. A second call within an hour counts as the same
    rotation and changes nothing.

    Examples:

      authkit keys rotate
      authkit keys rotate --yes
    """
    target = Project.find(project)
    if not yes:
        confirm_or_stop(_question(target.manage("keys", "list"), algorithm), yes=yes)
    show(target.manage("keys", "rotate", *_option(algorithm)), as_json=json)
    console.message(
        "Restart each host within a day: until then it signs with the old key, and `retire` allows "
        "for no longer."
    )


def _question(keys: Keys, algorithm: str | None) -> str:
    staged = [key for key in keys if key["use"] == "staged"]
    if any(algorithm in (None, key["algorithm"]) for key in staged):
        return "Was every host restarted since the key was staged, and may it sign now?"
    return "Nothing is staged: is there one host alone, and may a new key sign at once?"


@app.command()
def retire(project: ProjectOption = None, json: JsonOption = False) -> None:
    """Remove earlier keys whose tokens have all expired; say when the others will be ready.

    A key is ready REFRESH_TOKEN_DAYS and one day after the rotation; the day is for restarts. A key
    without a date gets today's.

    Examples:

      authkit keys retire
    """
    show(Project.find(project).manage("keys", "retire"), as_json=json)
    console.message("Restart the server, if a key is gone.")


@app.command()
def remove(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key id that `list` shows.")],
    project: ProjectOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Stop verifying with a key at once: the tokens that it signed are refused.

    Use it for a leaked key or an unwanted staged one; otherwise use `retire`.

    Examples:

      authkit keys remove 0123456789abcdef
    """
    target = Project.find(project)
    confirm_or_stop(f"Refuse every token that key {kid} signed?", yes=yes)
    show(target.manage("keys", "remove", operands=[kid]), as_json=json)
    console.message("Restart the server: running processes still accept the old key.")


def _option(algorithm: str | None) -> list[str]:
    return [] if algorithm is None else ["--algorithm", algorithm]
