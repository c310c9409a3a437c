"""Files of a later version that a project has already: `authkit generate` brings what it needs."""

from collections.abc import Sequence

from authkit.template.source import released_files
from authkit.update.scratch import Scratch


def brought(
    scratch: Scratch, versions: Sequence[str], base: str, owner: str, template: str
) -> dict[str, tuple[str, str]]:
    """Of the files that are new to the project's version, those that the owner has as one of
    `versions` had them: nobody edited them, so the update may. Path to mode and object."""
    old, mine, new = (scratch.files(tree) for tree in (base, owner, template))
    early = {path for path in new.keys() & mine.keys() - old.keys() if mine[path] != new[path]}
    found = {}
    for version in versions if early else ():
        released = released_files("template/", version)
        for path in early:
            text = released.get(f"template/{path}")
            if text and scratch.git("cat-file", "blob", mine[path][1]) == text.encode():
                found[path] = mine[path]
    return found
