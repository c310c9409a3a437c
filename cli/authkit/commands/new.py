"""`authkit new`: a project, from nothing to answering."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from authkit.terminal import console, tables
from authkit.terminal.options import JsonOption

if TYPE_CHECKING:
    from authkit.new.made import Made
    from authkit.new.plan import Plan


class Database(StrEnum):
    sqlite = "sqlite"
    postgres = "postgres"


class Limits(StrEnum):
    memory = "memory"
    redis = "redis"


class EmailChange(StrEnum):
    session = "session"
    password = "password"  # noqa: S105
    confirm = "confirm"


def new(
    path: Annotated[
        Path,
        typer.Argument(
            help="The directory to make; its last part is the project's name.", metavar="PATH"
        ),
    ],
    database: Annotated[
        Database | None,
        typer.Option(help="The database; SQLite by default.", show_default=False),
    ] = None,
    limits: Annotated[
        Limits | None,
        typer.Option(help="Where to count rate limits; in memory by default.", show_default=False),
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The database's URL.", show_default=False)
    ] = None,
    redis_url: Annotated[
        str | None, typer.Option(metavar="URL", help="The URL of Redis.", show_default=False)
    ] = None,
    with_parts: Annotated[
        str | None,
        typer.Option("--with", metavar="PART,…", help="Parts to add.", show_default=False),
    ] = None,
    without_parts: Annotated[
        str | None,
        typer.Option("--without", metavar="PART,…", help="Parts to leave out.", show_default=False),
    ] = None,
    email_change: Annotated[
        EmailChange | None,
        typer.Option(
            metavar="WHAT",
            help="What users need to change their address: session (default), password or confirm.",
            show_default=False,
        ),
    ] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", "-y", help="Ask nothing; take the defaults.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files, but write none.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Into a directory with files: keep them; what the project replaces is moved to "
            ".before-authkit/.",
        ),
    ] = False,
    no_git: Annotated[bool, typer.Option("--no-git", help="No repository, no commit.")] = False,
    no_install: Annotated[
        bool,
        typer.Option("--no-install", help="Write only the files: no environment, no database."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make a project: render, install, migrate, seed and commit it.

    Put a URL with a password into AUTHKIT_DATABASE_URL or AUTHKIT_REDIS_URL: other users of the
    machine can read a command line. On PostgreSQL a missing database is created.

    Examples:

      authkit new myapi                  SQLite, limits in memory: nothing else to install
      authkit new myapi --database postgres --limits redis
      authkit new myapi --without sessions   without this part; `authkit add` brings it later
      authkit new myapi --dry-run        the files that would be written
    """
    from authkit.new import build
    from authkit.new.plan import Manner, Wanted, WantedParts, plan, take_default

    ask = not (defaults or json or dry_run) and console.is_interactive()
    planned = plan(
        path,
        Wanted(database, database_url),
        Wanted(limits, redis_url),
        WantedParts(with_parts, without_parts),
        email_change,
        console.ask if ask else take_default,
        Manner(force, not no_git, not no_install),
    )
    if dry_run:
        show_files(planned, build.list_files(planned), json=json)
        return
    made = build.make(planned, console)
    if json:
        console.print_json(summary(planned, made))
        tell_surprises(planned, made)
    else:
        show(planned, made)


def show_files(plan: "Plan", files: list[str], *, json: bool) -> None:
    if json:
        parts = plan.answers.parts or ()
        console.print_json({"path": str(plan.target), "parts": parts, "files": files})
        return
    for file in files:
        print(file)
    console.message(f"parts: {', '.join(plan.answers.parts or ()) or 'none'}")
    console.message(f"{len(files)} files would be written to {plan.target}; nothing was.")


def summary(plan: "Plan", made: "Made") -> dict[str, Any]:
    """What a script wants to know."""
    from authkit import __version__
    from authkit.new.next_commands import next_commands

    return {
        "path": str(plan.target),
        "name": plan.answers.project_name,
        "version": __version__,
        "database": plan.answers.database,
        "limits": plan.answers.limits,
        "emailChange": plan.email_change,
        "parts": plan.answers.parts or (),
        "commit": made.commit or None,
        "inside": str(made.inside) if made.inside else None,
        "users": made.users,
        "replaced": made.replaced,
        "seconds": made.seconds,
        "next": next_commands(plan),
    }


def show(plan: "Plan", made: "Made") -> None:
    """What a person wants to know: the users' passwords once, surprises, the next commands."""
    from authkit.new.next_commands import next_commands

    if any("password" in user for user in made.users):
        columns = ("email", "role", "password")
        console.message("\nDevelopment users; the passwords are shown this once:")
        tables.table(columns, [[user.get(c, "") for c in columns] for user in made.users])
    tell_surprises(plan, made)
    console.message(f"\n{plan.answers.project_name} is ready. Next:\n", style="bold")
    for command in next_commands(plan):
        console.message(f"  {command}", style="cyan", whole=True)
    console.message("\nThen open http://127.0.0.1:8000/docs")


def tell_surprises(plan: "Plan", made: "Made") -> None:
    """What the owner would otherwise find out later."""
    from authkit.new.choices import answers
    from authkit.project.repository import Repository

    if made.replaced:
        console.warning(f"replaced and kept: {', '.join(made.replaced)}")
    if made.inside:
        console.warning(
            f"no repository of its own: it is inside that of {made.inside}; commit the files there"
        )
    if made.commit and not Repository(plan.target).has_identity():
        console.warning("git does not know you yet: git config --global user.email you@example.com")
    if made.overriding:
        console.warning(
            f"set in your environment, they win over .env: {', '.join(made.overriding)}"
        )
    if plan.redis_url and not answers(plan.redis_url, 6379):
        console.warning("no Redis answers yet; until one does, limits are counted in memory")
