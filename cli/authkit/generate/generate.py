"""Carrying a plan out: files and database together, or neither."""

from dataclasses import dataclass

from authkit.generate.plan import Plan
from authkit.generate.write import written
from authkit.project import database_copy
from authkit.project.outcome import in_our_words, reason_in
from authkit.project.project import Project
from authkit.terminal.errors import AuthkitError
from authkit.terminal.screen import Screen
from authkit.terminal.signals import stop_signals_put_off

QUESTION = "Migrate the database now? It gets the table {table}."


@dataclass(frozen=True)
class Generated:
    """What came of it."""

    plan: Plan
    is_migrated: bool
    backup: str | None = None


def generate(project: Project, plan: Plan, screen: Screen, *, migrate: bool) -> Generated:
    """Write the files, and migrate the database unless told otherwise, or it is production's."""
    wanted = migrate and may_migrate(project, plan, screen)
    backup = keep_copy(project, screen) if wanted else None
    with written(project.root, plan.new, plan.changed) as keep:
        if wanted:
            with (
                stop_signals_put_off("interrupted when all was done", "look at it: git status"),
                screen.step(f"migrate to {plan.revision}"),
            ):
                upgrade(project)
                keep()
        keep()
    return Generated(plan, wanted, backup)


def may_migrate(project: Project, plan: Plan, screen: Screen) -> bool:
    if project.settings().get("ENVIRONMENT", "").lower() == "production":
        screen.warning("these are production's settings: its database is not migrated here")
        return False
    return screen.confirm(QUESTION.format(table=plan.resource.names.plural))


def keep_copy(project: Project, screen: Screen) -> str | None:
    """A new table loses nothing; other migrations that are still to be applied may."""
    if project.run(["-m", "alembic", "current", "--check-heads"]).returncode == 0:
        return None
    return database_copy.keep(project, screen)


def upgrade(project: Project) -> None:
    result = project.run(["-m", "alembic", "upgrade", "head"])
    if result.returncode:
        for finding in project.manage("check"):
            if finding["severity"] == "error" and finding["id"] != "migrations":
                raise AuthkitError(
                    f"{finding['message']}; nothing was changed", in_our_words(finding["fix"])
                )
        reason = reason_in(result.stdout + result.stderr) or "no reason was given"
        raise AuthkitError(
            f"the migration failed, and nothing was changed: {reason}",
            "correct it, or write the files alone: --skip-migration",
        )
