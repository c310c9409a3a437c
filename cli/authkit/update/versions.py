"""From which version of the template to which: what the project has, what this authkit knows."""

import re
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from authkit import __version__
from authkit.project.project import MARKER, Project
from authkit.project.repository import Repository
from authkit.project.system import plain_python
from authkit.template.source import TEMPLATE_SOURCE, template_bundle
from authkit.terminal.errors import AuthkitError, UsageError


@dataclass(frozen=True)
class Versions:
    """Where the project is, where it goes, and what this authkit can bring."""

    current: str
    target: str
    known: tuple[str, ...]

    @property
    def is_update(self) -> bool:
        return Version(self.target) > Version(self.current)


def versions_of(project: Project, to: str | None = None) -> Versions:
    """The versions that matter, when there is a way from the project's to the other."""
    answers = project.answers()
    if answers.get("_src_path") != TEMPLATE_SOURCE:
        raise AuthkitError(
            f"{MARKER} names another template: {answers.get('_src_path')}",
            "only projects made by `authkit new` can be updated; copier can do others",
        )
    current = str(answers.get("_commit", "")).removeprefix("v")
    known = known_versions()
    target = (to or __version__).removeprefix("v")
    if target not in known:
        raise UsageError(f"authkit knows no version {target}", f"it knows {', '.join(known)}")
    require_known(current, known)
    if to and Version(target) < Version(current):
        raise AuthkitError(
            f"the project is at {current}; it can't go back to {target}",
            "git can: look for the commit of the update and `git revert` it",
        )
    return Versions(current, target, known)


def known_versions() -> tuple[str, ...]:
    """The releases that this authkit carries, oldest first."""
    bundle = template_bundle()
    heads = Repository(bundle.parent).git("bundle", "list-heads", str(bundle)).decode()
    tags = re.findall(r"refs/tags/v(\S+)", heads)
    return tuple(sorted(tags, key=Version))


def require_known(current: str, known: tuple[str, ...]) -> None:
    """Refuse a project whose template this authkit does not have."""
    if current in known:
        return
    try:
        newer = Version(current) > Version(__version__)
    except InvalidVersion:
        raise AuthkitError(
            f"{MARKER} does not say which version of the template made this project",
            f"restore it: git checkout -- {MARKER}",
        ) from None
    if newer:
        raise AuthkitError(
            f"the project is at {current}, newer than this authkit ({__version__})",
            f"{plain_python()} -m pip install --upgrade authkit-fastapi",
        )
    raise AuthkitError(
        f"the project is at {current}, which is no released version",
        f"known are {', '.join(known)}; `git log -- {MARKER}` shows how it came about",
    )
