"""Where the template lies: one bundle in the user's home, at the same place on every machine.

So the answers file can name it by a `~` path, and a colleague's `authkit update` finds it too.
"""

import shutil
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Final

from authkit import __version__
from authkit.template import bundle
from authkit.terminal.errors import AuthkitError

TEMPLATE_SOURCE: Final = f"~/.local/share/authkit/{bundle.BUNDLE_NAME}"
"""What `_src_path` says in the answers file. Not XDG_DATA_HOME: it differs between colleagues."""

PACKAGED: Final = Path(__file__).parents[1] / bundle.BUNDLE_NAME
CHECKOUT: Final = Path(__file__).parents[3]
"""Where the template is instead, when authkit runs from its repository."""


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


def released_file(name: str, version: str) -> str:
    """A file of the template's version: one of those beside the files that are rendered."""
    if version == __version__ and not PACKAGED.is_file() and (CHECKOUT / name).is_file():
        return (CHECKOUT / name).read_text(encoding="utf-8")
    source = place_template()
    with tempfile.TemporaryDirectory(prefix="authkit-") as scratch:
        try:
            bundle.git(Path(scratch), "clone", "--quiet", "--bare", str(source), "released")
            return bundle.git(Path(scratch, "released"), "show", f"v{version}:{name}").decode()
        except subprocess.CalledProcessError as error:
            raise AuthkitError(
                f"git can't read {name} of template {version} ({error})",
                "make sure that git works and that there is room on the disk",
            ) from error


def released_files(directory: str, version: str) -> dict[str, str]:
    """The texts below a directory of the template's version, by path."""
    if version == __version__ and not PACKAGED.is_file():
        there = bundle.working_tree(CHECKOUT)
        contents = {path: file.content for path, file in there.items()}
    else:
        contents = archived_files(version)
    texts = {}
    for path, content in contents.items():
        if path.startswith(directory):
            with suppress(UnicodeDecodeError):
                texts[path] = content.decode()
    return texts


def archived_files(version: str) -> dict[str, bytes]:
    source = place_template()
    with tempfile.TemporaryDirectory(prefix="authkit-") as scratch:
        try:
            bundle.git(Path(scratch), "clone", "--quiet", "--bare", str(source), "released")
            archive = bundle.git(Path(scratch, "released"), "archive", f"v{version}")
        except subprocess.CalledProcessError as error:
            raise AuthkitError(
                f"git can't read template {version} ({error})",
                "make sure that git works and that there is room on the disk",
            ) from error
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        opened = ((member.name, tar.extractfile(member)) for member in tar if member.isfile())
        return {name: file.read() for name, file in opened if file is not None}


def packaged_template() -> bytes:
    """The bundle inside the wheel; in a checkout, one made of the files as they are now."""
    if PACKAGED.is_file():
        return PACKAGED.read_bytes()
    if not (CHECKOUT / "copier.yml").is_file():
        raise AuthkitError(
            "this installation of authkit lacks its template",
            "reinstall it: python -m pip install --force-reinstall authkit-fastapi",
        )
    with tempfile.TemporaryDirectory(prefix="authkit-") as scratch:
        target = Path(scratch) / bundle.BUNDLE_NAME
        try:
            bundle.build(CHECKOUT, __version__, target)
        except subprocess.CalledProcessError as error:
            raise AuthkitError(
                f"git can't pack the template of {CHECKOUT} ({error})",
                "make sure that git works and that there is room on the disk",
            ) from error
        return target.read_bytes()


def replace_file(target: Path, content: bytes) -> None:
    """Write a file so that a concurrent reader sees the old or the new one, never a part."""
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as scratch:
        scratch.write(content)
    Path(scratch.name).replace(target)
