"""Where the template lies: in the wheel, as one bundle with every version of it.

Nothing of it is copied into anybody's home: two versions of authkit, or two runs, share nothing,
and a home that is full or read-only is no obstacle.
"""

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from authkit import __version__
from authkit.template import bundle
from authkit.terminal.errors import AuthkitError

TEMPLATE_SOURCE: Final = f"~/.local/share/authkit/{bundle.BUNDLE_NAME}"
"""What `_src_path` says in the answers file, the same for every colleague.

Until 0.6 the bundle was copied to there. Now it is a name: it tells our projects from others'.
"""

PACKAGED: Final = Path(__file__).parents[1] / bundle.BUNDLE_NAME
CHECKOUT: Final = Path(__file__).parents[3]
"""Where the template is instead, when authkit runs from its repository."""


@cache
def template_bundle() -> Path:
    """The bundle inside the wheel; in a checkout, one made of the files as they are now."""
    if shutil.which("git") is None:
        raise AuthkitError("git is not installed", "install git, then run the same command again")
    if PACKAGED.is_file():
        return PACKAGED
    if not (CHECKOUT / "copier.yml").is_file():
        raise AuthkitError(
            "this installation of authkit lacks its template",
            "reinstall it: python -m pip install --force-reinstall authkit-fastapi",
        )
    scratch = Path(tempfile.mkdtemp(prefix="authkit-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    try:
        bundle.build(CHECKOUT, __version__, scratch / bundle.BUNDLE_NAME)
    except subprocess.CalledProcessError as error:
        raise AuthkitError(
            f"git can't pack the template of {CHECKOUT} ({error})",
            "make sure that git works and that there is room on the disk",
        ) from error
    return scratch / bundle.BUNDLE_NAME


def released_file(name: str, version: str) -> str:
    """A file of the template's version: one of those beside the files that are rendered."""
    if version == __version__ and not PACKAGED.is_file() and (CHECKOUT / name).is_file():
        return (CHECKOUT / name).read_text(encoding="utf-8")
    source = template_bundle()
    with tempfile.TemporaryDirectory(prefix="authkit-") as scratch:
        try:
            bundle.git(Path(scratch), "clone", "--quiet", "--bare", str(source), "released")
            return bundle.git(Path(scratch, "released"), "show", f"v{version}:{name}").decode()
        except subprocess.CalledProcessError as error:
            raise AuthkitError(
                f"git can't read {name} of template {version} ({error})",
                "make sure that git works and that there is room on the disk",
            ) from error
