"""What lies beside the template in the bundle, of the newest release: its changelog, its moves."""

from authkit.template.source import template_bundle
from authkit.update.scratch import Scratch


def read(scratch: Scratch, path: str) -> str:
    """A file of the newest release, by its path in this repository."""
    clone = scratch.directory / "released"
    if not clone.exists():
        # Not fetched into the scratch repository: the project's may use other object ids.
        scratch.git("clone", "--quiet", "--bare", str(template_bundle()), clone.name)
    return scratch.git(f"--git-dir={clone.name}", "show", f"HEAD:{path}").decode()
