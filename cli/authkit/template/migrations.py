"""The line of the template's migrations, from which those of a part may be missing."""

from itertools import pairwise
from pathlib import Path

from authkit.project.migration_files import VERSIONS, follow, found


def close_gaps(project: Path) -> None:
    """Let a migration whose predecessor was left out follow the one before it.

    In the template each follows the one before it by name, parts' among them. So what is rendered
    is one line, whichever parts were chosen.
    """
    files = sorted((project / VERSIONS).glob("*.py"))
    texts = [(str(file), file.read_text(encoding="utf-8")) for file in files]
    migrations = found(texts)
    revisions = {migration.revision for migration in migrations}
    for before, migration in pairwise(migrations):
        if not revisions.issuperset(migration.follows):
            text = follow(dict(texts)[migration.path], before.revision)
            Path(migration.path).write_text(text, encoding="utf-8", newline="\n")
