"""What a new project is to be: its place, its name, its two choices with their URLs, its parts."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authkit.new import choices
from authkit.new.choices import Ask
from authkit.new.naming import project_name
from authkit.new.parts_choice import choose_parts
from authkit.project.project import from_here
from authkit.template.parts import parts_of
from authkit.template.render import Answers

DEFAULT_REDIS: Final = {"memory": "", "redis": "redis://127.0.0.1:6379/0"}


@dataclass(frozen=True)
class Plan:
    """What `authkit new` was asked for."""

    target: Path
    answers: Answers
    database_url: str
    redis_url: str
    email_change: str
    force: bool = False
    git: bool = True
    install: bool = True


@dataclass(frozen=True)
class Wanted:
    """What was said of a choice: its kind, its URL, either or neither."""

    kind: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class WantedParts:
    """What was said of the parts: names with commas between."""

    more: str | None = None
    less: str | None = None


@dataclass(frozen=True)
class Manner:
    """What was said of how to make it."""

    force: bool
    git: bool
    install: bool


def plan(
    path: Path,
    database: Wanted,
    limits: Wanted,
    parts: WantedParts,
    email_change: str | None,
    ask: Ask,
    manner: Manner,
) -> Plan:
    """Complete what was asked for; `ask` answers what was left open."""
    # Not `resolve`: a link's own name is the project's.
    target = Path(os.path.normpath(from_here(path)))
    name = project_name(target)
    kind, database_url = choices.choose(
        choices.DATABASE, database.kind, database.url, default_database(name), ask
    )
    counted, redis_url = choices.choose(choices.LIMITS, limits.kind, limits.url, DEFAULT_REDIS, ask)
    chosen = choose_parts(parts_of(), parts.more, parts.less, ask)
    answers = Answers(name, kind, counted, chosen)
    proof = email_change or choices.choose_email_change(ask)
    how = (manner.force, manner.git, manner.install)
    return Plan(target, answers, database_url, redis_url, proof, *how)


def default_database(name: str) -> dict[str, str]:
    return {
        "sqlite": "sqlite:///./app.db",
        "postgres": f"postgresql://postgres@127.0.0.1:5432/{name.replace('-', '_')}",
    }


def take_default(question: str, answers: tuple[str, ...], default: str) -> str:
    """The `Ask` of whoever can't be asked."""
    return default
