"""The template as a git repository in one file: a tagged commit for each released version.

`authkit update` merges between versions of the template, and a wheel has no git history. So the
wheel carries a git bundle (git-bundle(1)) with one commit `v<version>` per release, complete and
reproducible: the same files give the same commits, whoever builds and whenever.

What an earlier release contained is kept in `releases/<version>.tar.xz`; the newest is the working
tree. This repository's own tags play no part, since a clone may lack them. The build hook imports
this file by its path: standard library and git only.
"""

import os
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, NamedTuple

BUNDLE_NAME: Final = "template.bundle"

CONTENTS: Final = ("CHANGELOG.md", "copier.yml", "template")
"""What a release of the template consists of. Only `template/` is rendered."""

LEFT_OVERS: Final = (
    *("__pycache__", "*.py[cod]", ".git", ".venv", "venv", ".env", "uv.lock", ".DS_Store"),
    *("*.db", "*.db-journal", "*.db-shm", "*.db-wal", "*.backup-*"),
    *(".coverage", ".coverage.*", "coverage.xml", "htmlcov"),
    *(".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".schemathesis"),
)
"""What running the template in place leaves behind; never part of a release."""

# 2000-01-01: a commit's date is part of its id, and the id must not depend on the day of the build.
COMMITTER: Final = "authkit <authkit@localhost> 946684800 +0000"


class File(NamedTuple):
    """A file as git keeps it: mode `100644`, `100755`, or `120000` for a symbolic link."""

    mode: str
    content: bytes


Tree = Mapping[str, File]


def build(root: Path, version: str, destination: Path) -> None:
    """Write the bundle of every release under `root`, of which `version` is the newest."""
    with tempfile.TemporaryDirectory(prefix="authkit-bundle-") as scratch:
        repository = Path(scratch)
        # Whatever form of object ids git takes by default: the bundle's are the same everywhere.
        form = "--object-format=sha1"
        git(repository, "init", "--quiet", "--bare", form, "--initial-branch=main", ".")
        git(repository, "fast-import", "--quiet", input=b"".join(history(root, version)))
        git(repository, "bundle", "create", "--quiet", "out", "HEAD", "main", "--tags")
        destination.write_bytes((repository / "out").read_bytes())


def history(root: Path, version: str) -> Iterator[bytes]:
    """The releases, oldest first, as a stream for git-fast-import(1)."""
    for release, tree in sorted_releases(root, version):
        message = f"authkit {release}\n".encode()
        yield b"commit refs/heads/main\n"
        yield f"committer {COMMITTER}\n".encode()
        yield b"data %d\n%s" % (len(message), message)
        yield b"deleteall\n"
        for path, file in sorted(tree.items()):
            yield f"M {file.mode} inline {path}\n".encode()
            yield b"data %d\n%s\n" % (len(file.content), file.content)
        yield f"reset refs/tags/v{release}\nfrom refs/heads/main\n\n".encode()


def sorted_releases(root: Path, version: str) -> list[tuple[str, Tree]]:
    """Every release with its files: the archived ones, then the working tree."""
    archives = {
        path.name.removesuffix(".tar.xz"): path for path in (root / "releases").glob("*.tar.xz")
    }
    if version in archives:
        raise ValueError(
            f"releases/{version}.tar.xz exists, so {version} is released: raise __version__"
        )
    releases = [(name, archived(archives[name])) for name in sorted(archives, key=version_key)]
    if releases and version_key(releases[-1][0]) >= version_key(version):
        raise ValueError(f"version {version} is not newer than the released {releases[-1][0]}")
    return [*releases, (version, working_tree(root))]


def version_key(version: str) -> tuple[int, ...]:
    """The order of `MAJOR.MINOR.PATCH` versions, the only form used here."""
    return tuple(int(part) for part in version.split("."))


def archived(archive: Path) -> Tree:
    """The files of `releases/<version>.tar.xz`."""
    tree = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.issym():
                tree[member.name] = File("120000", member.linkname.encode())
            elif (content := tar.extractfile(member)) is not None:
                tree[member.name] = File(file_mode(member.mode), content.read())
    return tree


def working_tree(root: Path) -> Tree:
    """The files of the release that is being built."""
    tree = {}
    for path in files_under(root):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            tree[name] = File("120000", str(path.readlink()).encode())
        else:
            tree[name] = File(file_mode(path.stat().st_mode), path.read_bytes())
    return tree


def files_under(root: Path) -> Iterator[Path]:
    """Walk over `CONTENTS`, past the left-overs."""
    pending = [root / name for name in CONTENTS if (root / name).exists()]
    while pending:
        path = pending.pop()
        if any(fnmatch(path.name, pattern) for pattern in LEFT_OVERS):
            continue
        if path.is_dir() and not path.is_symlink():
            pending.extend(path.iterdir())
        else:
            yield path


def file_mode(mode: int) -> str:
    return "100755" if mode & stat.S_IXUSR else "100644"


def pristine_environ() -> dict[str, str]:
    """An environment in which git knows nobody's configuration, and no inherited repository."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(directory: Path, *args: str, input: bytes | None = None) -> bytes:
    """Run git untouched by anyone's configuration, so that everywhere the same comes out."""
    # One thread: several would pack the same objects in an order of their own.
    command = ["git", "-c", "pack.threads=1", *args]
    return subprocess.run(
        command,
        cwd=directory,
        env=pristine_environ(),
        input=input,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
