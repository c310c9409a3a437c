"""Everything that generating a resource would change in a project, before anything is."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authkit.generate.collisions import (
    require_free,
    require_free_api,
    require_parents,
    require_room,
)
from authkit.generate.context import context_of
from authkit.generate.contract import contract_with
from authkit.generate.resource import Resource
from authkit.generate.skeleton import Skeleton, fill_in, formatted, skeleton_for
from authkit.project.migration_files import VERSIONS, Migration, found, heads
from authkit.project.project import Project
from authkit.terminal.errors import AuthkitError

LONGEST_REVISION: Final = 32
"""Of `alembic_version.version_num`."""


@dataclass(frozen=True)
class Plan:
    resource: Resource
    revision: str
    new: Mapping[str, str]
    """Text by path."""
    changed: Mapping[str, tuple[str, str]]
    """The text before and after, by path."""
    is_contract_known: bool
    """Else openapi.json is left to its owner: the application can't be asked what it says."""

    def diff(self) -> Iterator[str]:
        """What would change, as a patch."""
        for path, text in self.new.items():
            yield from patch("/dev/null", f"b/{path}", "", text)
        for path, (before, after) in self.changed.items():
            yield from patch(f"a/{path}", f"b/{path}", before, after)


def patch(before_name: str, after_name: str, before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), before_name, after_name, lineterm=""
    )
    yield from lines


def plan(project: Project, resource: Resource) -> Plan:
    """What would be written; refuses whatever stands in its way."""
    _ = project.python  # no environment: say so first
    require_free(project, resource)
    require_free_api(project, resource)
    require_parents(project, resource)
    skeleton = skeleton_for(project)
    down_revision, revision = place_in_line(project, resource.names.plural)
    if resource.parents_of_others and not skeleton.can_null:
        parent = next(iter(resource.parents_of_others.values()))
        raise AuthkitError(
            f"in a project of before, who deletes {parent.a_word} would delete others' "
            f"{resource.names.words} along",
            "authkit update",
        )
    can_null = skeleton.can_null
    files = fill_in(skeleton, context_of(resource, revision, down_revision, can_null=can_null))
    require_room(project, sorted(files))
    changed = changes(project, skeleton)
    files = {
        path: text for path, text in skeleton.machinery.items() if lacks(project, path)
    } | files
    new = dict(sorted(formatted(project, files).items()))
    contract = contract_with(project, new)
    return Plan(resource, revision, new, changed | (contract or {}), contract is not None)


def lacks(project: Project, path: str) -> bool:
    return not (project.root / path).is_file()


def changes(project: Project, skeleton: Skeleton) -> dict[str, tuple[str, str]]:
    """What a project of before lacks in files that it has; where that is done, nothing."""
    changed: dict[str, tuple[str, str]] = {}
    for needed in skeleton.changes:
        file, before, now = (needed[name] for name in ("file", "before", "now"))
        original = (project.root / file).read_text(encoding="utf-8")
        text = changed[file][1] if file in changed else original
        if now in text:
            continue
        if text.count(before) != 1:
            raise AuthkitError(
                f"{file} has been changed where a resource needs a line", "authkit update"
            )
        changed[file] = original, text.replace(before, now)
    return changed


def place_in_line(project: Project, plural: str) -> tuple[str, str]:
    """The newest revision, and the one that is to follow it, numbered like its neighbours."""
    migrations = owned_migrations(project.root)
    ends = heads(migrations)
    if len(ends) != 1:
        raise AuthkitError(
            f"the migrations end in {len(ends)} heads: {', '.join(each.revision for each in ends)}",
            'join them, in the project: .venv/bin/python -m alembic merge heads -m "merge"',
        )
    names = [Path(each.path).name for each in migrations]
    numbers = [int(name[:4]) for name in names if name[:4].isdigit() and name[4:5] == "_"]
    start = f"{max([len(names), *numbers]) + 1:04d}_add_"
    return ends[0].revision, start + plural[: LONGEST_REVISION - len(start)].rstrip("_")


def owned_migrations(root: Path) -> list[Migration]:
    files = sorted((root / VERSIONS).glob("*.py"))
    return found((file.name, file.read_text(encoding="utf-8")) for file in files)
