"""What a resource would collide with in a project; found before anything is written."""

import os
import re
from pathlib import Path
from typing import Final

from authkit.generate.parents import Parent, models, sources
from authkit.generate.resource import Access, Resource
from authkit.project.project import Project
from authkit.terminal.errors import AuthkitError, UsageError

TABLE: Final = re.compile(r"__tablename__\s*=\s*[\"'](\w+)[\"']")
FUNCTION: Final = re.compile(r"^(?:async )?def (\w+)\(", re.MULTILINE)
CLASS: Final = re.compile(r"^class (\w+)\(", re.MULTILINE)


def require_free(project: Project, resource: Resource) -> None:
    """Refuse a name that is taken: as a feature, a router, a table or a model."""
    names, root = resource.names, project.root
    # A package and a module of one name are one to Python.
    places = ("app/{}", "app/{}.py", "app/api/{}", "app/api/{}.py", "tests/{}.py")
    for place in (each.format(names.plural) for each in places):
        if os.path.lexists(root / place) and not is_compiled_alone(root / place):
            raise AuthkitError(f"there is {place} already", "choose another name, or a --plural")
    for file, code in models(root):
        if names.plural in TABLE.findall(code):
            raise AuthkitError(
                f"{file} has a table {names.plural} already", "choose another name, or a --plural"
            )
        if names.class_name in CLASS.findall(code):
            raise AuthkitError(
                f"{file} has a class {names.class_name} already", "choose another name"
            )


def is_compiled_alone(place: Path) -> bool:
    """Whether nothing is there but what Python compiled: git leaves it when it takes files away."""
    if place.is_symlink() or not place.is_dir():
        return False
    return [entry.name for entry in place.iterdir()] == ["__pycache__"]


def require_free_api(project: Project, resource: Resource) -> None:
    """Refuse names that generated clients would meet twice: of an operation, of a schema."""
    names, root = resource.names, project.root
    functions = {f"{verb}_{names.singular}" for verb in ("create", "read", "update", "delete")}
    functions.add(f"list_{names.plural}")
    classes = {f"{names.class_name}{kind}" for kind in ("Info", "Page", "Query")}
    classes |= {f"{verb}{names.class_name}Input" for verb in ("Create", "Update")}
    for file, code in sources(root, "app/api/**/*.py"):
        taken = [*functions.intersection(FUNCTION.findall(code))]
        taken += classes.intersection(CLASS.findall(code))
        if taken:
            raise AuthkitError(f"{file} has a {min(taken)} already", "choose another name")


def require_parents(project: Project, resource: Resource) -> None:
    """What a reference names must be there, and be for all of the same people."""
    may_be_null = {field.name for field in resource.fields if field.optional}
    for field, parent in resource.parents.items():
        require_parent(project, field, parent)
        if parent.is_owned and not resource.access.is_owned:
            raise UsageError(
                f"{parent.words} belong to their users, and {resource.names.words} would not",
                f"make {resource.names.words} --{Access.OWNER_ONLY} or --{Access.PUBLIC_READ}",
            )
        if parent.who == "Admin" and resource.access is not Access.ADMIN_ONLY:
            raise UsageError(
                f"{parent.words} are the admins' alone, and {resource.names.words} would not be",
                f"make {resource.names.words} --{Access.ADMIN_ONLY}",
            )
        if field in resource.parents_of_others and field not in may_be_null:
            raise UsageError(
                f"who deletes {parent.a_word} would delete others' {resource.names.words} along",
                f"write {field}:references?, and it becomes null then",
            )


def require_parent(project: Project, field: str, parent: Parent) -> None:
    needed = (
        f"app/{parent.plural}/models.py",
        f"app/api/{parent.plural}.py",
        f"tests/{parent.plural}/samples.py",
    )
    missing = [path for path in needed if not (project.root / path).is_file()]
    if missing:
        raise UsageError(
            f"{field}:references names no generated resource: there is no {missing[0]}",
            f"authkit generate resource {parent.singular} …",
        )
    if not parent.who:
        raise UsageError(
            f"{needed[1]} does not say whose {parent.words} are: no line there is like "
            "`Owner = CurrentUser`",
            "write it above the routes; it is Owner, Member (they are everybody's), or Admin",
        )


def require_room(project: Project, paths: list[str]) -> None:
    """Refuse to overwrite anything, or to write through a link or a file that is in the way."""
    for path in paths:
        place = project.root / path
        if os.path.lexists(place):
            raise AuthkitError(
                f"{path} is in the way", "move it, or choose another name; nothing was changed"
            )
        for above in place.relative_to(project.root).parents:
            directory = project.root / above
            if os.path.lexists(directory) and not directory.is_dir():
                raise AuthkitError(f"{above} is no directory", "move it; nothing was changed")
