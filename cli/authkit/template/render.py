"""Rendering the template: the only importer of copier.

The template is used from one place in the user's home, the same on every machine, so that the
answers file can name it by a `~` path and a colleague's `authkit update` finds it too.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from authkit import __version__
from authkit.project.project import MARKER
from authkit.template import bundle
from authkit.terminal.errors import AuthkitError

TEMPLATE_SOURCE: Final = f"~/.local/share/authkit/{bundle.BUNDLE_NAME}"
"""What `_src_path` says in the answers file. Not XDG_DATA_HOME: it differs between colleagues."""


@dataclass(frozen=True)
class Answers:
    """What the template asks for."""

    project_name: str
    database: str
    limits: str


def render(destination: Path, answers: Answers, version: str = __version__) -> None:
    """Write the files of template `version` into the new directory `destination`."""
    with untouched_git():
        import copier
        from copier.errors import CopierError

        try:
            copier.run_copy(
                TEMPLATE_SOURCE,
                destination,
                data=asdict(answers),
                vcs_ref=f"v{version}",
                settings=copier.Settings(),
                defaults=True,
                overwrite=True,
                quiet=True,
            )
        except ValueError as error:
            raise AuthkitError(
                f"template {version} can't be rendered: {error}", f"correct it in {MARKER}"
            ) from error
        except (CopierError, OSError) as error:
            # A failure of git's is an OSError of plumbum's, with git's words in `stderr`.
            said = str(getattr(error, "stderr", "") or error).strip() or type(error).__name__
            reason = said.splitlines()[-1]
            raise AuthkitError(
                f"template {version} can't be rendered: {reason}",
                "nothing was left behind; make sure that there is room on the disk",
            ) from error


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


@contextmanager
def untouched_git() -> Iterator[None]:
    """Keep the user's git configuration out: hooks, autocrlf, an inherited GIT_DIR.

    Copier runs git on the template. Whatever the user has configured for their own repositories
    must not change a byte of what is rendered.
    """
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
