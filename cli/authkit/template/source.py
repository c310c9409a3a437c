"""Where the template lies: one bundle in the user's home, at the same place on every machine.

So the answers file can name it by a `~` path, and a colleague's `authkit update` finds it too.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from authkit import __version__
from authkit.template import bundle
from authkit.terminal.errors import AuthkitError

TEMPLATE_SOURCE: Final = f"~/.local/share/authkit/{bundle.BUNDLE_NAME}"
"""What `_src_path` says in the answers file. Not XDG_DATA_HOME: it differs between colleagues."""


def place_template() -> Path:
    """Put the template of this authkit to where the answers files say that it is."""
    if shutil.which("git") is None:
        raise AuthkitError("git is not installed", "install git, then run the same command again")
    content = packaged_template()
    try:
        target = Path(TEMPLATE_SOURCE).expanduser()
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, content)
    except (OSError, RuntimeError) as error:
        raise AuthkitError(
            f"the template can't be copied to {TEMPLATE_SOURCE}: {error}",
            "make your home directory (HOME) writable",
        ) from error
    return target


def packaged_template() -> bytes:
    """The bundle inside the wheel; in a checkout, one made of the files as they are now."""
    package = Path(__file__).parents[1]
    packaged = package / bundle.BUNDLE_NAME
    if packaged.is_file():
        return packaged.read_bytes()
    checkout = package.parent.parent
    if not (checkout / "copier.yml").is_file():
        raise AuthkitError(
            "this installation of authkit lacks its template",
            "reinstall it: python -m pip install --force-reinstall authkit-fastapi",
        )
    with tempfile.TemporaryDirectory(prefix="authkit-") as scratch:
        target = Path(scratch) / bundle.BUNDLE_NAME
        try:
            bundle.build(checkout, __version__, target)
        except subprocess.CalledProcessError as error:
            raise AuthkitError(
                f"git can't pack the template of {checkout} ({error})",
                "make sure that git works and that there is room on the disk",
            ) from error
        return target.read_bytes()


def replace_file(target: Path, content: bytes) -> None:
    """Write a file so that a concurrent reader sees the old or the new one, never a part."""
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as scratch:
        scratch.write(content)
    Path(scratch.name).replace(target)
