"""`authkit generate resource`: a table, its endpoints and their tests, owned by its users."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from authkit.project.project import Project
from authkit.terminal import console, tables
from authkit.terminal.errors import UsageError
from authkit.terminal.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from authkit.generate.generate import Generated
    from authkit.generate.plan import Plan
    from authkit.generate.resource import Access

EPILOG = """Fields: NAME:TYPE, then `?` (may be null), `=DEFAULT`, `:unique`, `:index`.

Types: string (of 255 characters, or string(80)), text, integer, bigint, decimal(12,2), boolean,
date, datetime (in UTC), uuid, json, enum(low,high), references (note:references is the id of a note
of the same user)."""


def resource(
    name: Annotated[str, typer.Argument(help="The name of one of them: note.", metavar="NAME")],
    fields: Annotated[
        list[str], typer.Argument(help="Of the resource: title:string due:date?", metavar="FIELD…")
    ],
    owner_only: Annotated[
        bool, typer.Option("--owner-only", help="Each user has their own (default).")
    ] = False,
    public_read: Annotated[
        bool, typer.Option("--public-read", help="Anybody reads all; users change their own.")
    ] = False,
    shared: Annotated[
        bool, typer.Option("--shared", help="All signed-in users read and change all.")
    ] = False,
    admin_only: Annotated[
        bool, typer.Option("--admin-only", help="Only admins read and change them.")
    ] = False,
    plural: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The plural, if it is irregular.", show_default=False),
    ] = None,
    no_delete: Annotated[bool, typer.Option("--no-delete", help="Leave out DELETE.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the files, but write none.")
    ] = False,
    skip_migration: Annotated[
        bool,
        typer.Option("--skip-migration", help="Write the migration, but leave the database alone."),
    ] = False,
    project: ProjectOption = None,
    json: JsonOption = False,
) -> None:
    """Write a resource whose rows belong to users: table, endpoints, migration, tests and page.

    It writes all the files or none. They are yours from then on: the running API does not know that
    they were generated, and `authkit update` leaves them alone. Before it migrates the database, it
    asks.

    Examples:

      authkit generate resource note title:string body:text? done:boolean=false
      authkit generate resource comment note:references body:text
      authkit generate resource invoice number:string:unique 'total:decimal(12,2)' --no-delete
      authkit generate resource note title --dry-run     what would be written
    """
    from functools import partial

    from authkit.generate.fields import read_fields
    from authkit.generate.generate import generate
    from authkit.generate.parents import parent_of
    from authkit.generate.plan import plan
    from authkit.generate.resource import resource as named
    from authkit.generate.write import alone
    from authkit.project.contract_file import NAME, WRITE

    access = chosen(owner_only, public_read, shared, admin_only)
    target = Project.find(project)
    parents = partial(parent_of, target.root)
    made = named(name, plural, read_fields(fields), access, parents, can_delete=not no_delete)
    with alone(target.root):
        planned = plan(target, made)
        if not planned.is_contract_known:
            console.warning(f"{NAME} stays as it is: the application does not start. Then: {WRITE}")
        if dry_run:
            show_plan(planned, as_json=json)
            return
        done = generate(target, planned, console, migrate=not skip_migration)
    if json:
        console.print_json(summary(planned) | {"migrated": done.is_migrated, "backup": done.backup})
    else:
        show(done)


def chosen(*flags: bool) -> "Access":
    from authkit.generate.resource import Access

    accesses = [access for access, given in zip(Access, flags, strict=True) if given]
    if len(accesses) > 1:
        named = " and ".join(f"--{access}" for access in accesses)
        raise UsageError(f"{named} exclude each other", "say one of them")
    return accesses[0] if accesses else Access.OWNER_ONLY


def summary(planned: "Plan") -> dict[str, Any]:
    names = planned.resource.names
    return {
        "resource": names.singular,
        "plural": names.plural,
        "path": names.path,
        "access": planned.resource.access,
        "revision": planned.revision,
        "files": list(planned.new),
        "changed": list(planned.changed),
    }


def show_plan(planned: "Plan", *, as_json: bool) -> None:
    if as_json:
        console.print_json(summary(planned) | {"diff": "\n".join(planned.diff()) + "\n"})
        return
    for line in planned.diff():
        print(line)
    count = len(planned.new) + len(planned.changed)
    console.message(f"{count} files would be written; nothing was.")


def show(done: "Generated") -> None:
    planned = done.plan
    rows = [("added", path) for path in planned.new]
    tables.table(("change", "file"), rows + [("changed", path) for path in planned.changed])
    console.success(f"{planned.resource.names.path} is there. Next:")
    if not done.is_migrated:
        console.message("  authkit migrate", style="cyan", whole=True)
    plural = planned.resource.names.plural
    tests = f"tests/{plural} tests/api/test_{plural}.py"
    console.message(f"  authkit test -- {tests}", style="cyan", whole=True)
    console.message("  python -m tests.guards, in the project's environment: takes each guard out")
