"""A repository beside the project's, which sees its objects, and in which an update is tried."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authkit.project.repository import Repository
from authkit.template.bundle import git as pristine_git
from authkit.terminal.errors import AuthkitError

OLDEST_GIT: Final = (2, 38)
"""The first one with `git merge-tree --write-tree`."""


@dataclass(frozen=True)
class Scratch:
    """A bare repository beside the project's, in which everything is tried first."""

    directory: Path
    project: Path
    """The project's directory within its repository, empty at the root."""
    template: str
    """How conflict markers call the template's side."""

    def git(self, *args: str, input: bytes | None = None) -> bytes:
        try:
            return pristine_git(self.directory, *args, input=input)
        except subprocess.CalledProcessError as error:
            raise AuthkitError(
                f"the merge can't be prepared: {error}",
                "nothing was changed; make sure that there is room on the disk",
            ) from error

    def line(self, *args: str, input: bytes | None = None) -> str:
        return self.git(*args, input=input).decode().strip()

    def add_directory(self, directory: Path) -> str:
        """The tree of the rendered files."""
        index = f"--work-tree={directory.resolve()}"
        self.git("read-tree", "--empty")
        self.git(index, "add", "--all", "--force", ".")
        return self.line("write-tree")

    def project_tree(self, head: str) -> str:
        """What `head` has of the project, and nothing of its neighbours in the repository.

        Git would take a file that the owner deleted here, and that a neighbour has too, for moved
        there, and would bring the template's changes of it to the neighbour.
        """
        try:
            return self.line("rev-parse", "--verify", f"{head}:{path_in_tree(self.project)}")
        except AuthkitError as error:
            raise AuthkitError(
                "the project is not in the last commit of its repository",
                "git add --all && git commit -m 'Before the update' (is it in a .gitignore?)",
            ) from error

    def repository_tree(self, head: str, project_tree: str) -> str:
        """The whole repository's tree: `head` with another tree where the project is."""
        tree, path = project_tree, self.project
        while path.parts:
            listing = self.git("ls-tree", "-z", f"{head}:{path_in_tree(path.parent)}").split(b"\0")
            name = os.fsencode(path.name)
            entries = [entry for entry in filter(None, listing) if entry.split(b"\t", 1)[1] != name]
            entries.append(b"040000 tree %s\t%s" % (tree.encode(), name))
            tree = self.line("mktree", "-z", "--missing", input=b"\0".join(entries) + b"\0")
            path = path.parent
        return tree

    def files(self, tree: str, *paths: str) -> dict[str, tuple[str, str]]:
        """Path to mode and object."""
        entries = self.git("ls-tree", "-r", "-z", "--full-tree", tree, *paths).split(b"\0")
        return dict(
            parse_entry(entry.decode(errors="surrogateescape")) for entry in entries if entry
        )

    def read(self, blob: str) -> str:
        return self.git("cat-file", "blob", blob).decode(errors="surrogateescape")

    def read_all(self, blobs: Iterable[str]) -> dict[str, str]:
        """Many at once: a process for each would take longer than everything else."""
        names = list(dict.fromkeys(blobs))
        output = self.git("cat-file", "--batch", input="".join(f"{n}\n" for n in names).encode())
        texts, start = {}, 0
        for name in names:
            end = output.index(b"\n", start)
            size = int(output[start:end].rsplit(b" ", 1)[1])
            texts[name] = output[end + 1 : end + 1 + size].decode(errors="surrogateescape")
            start = end + size + 2
        return texts

    def write_all(self, texts: Iterable[str]) -> list[str]:
        """The objects of many texts, in their order."""
        with tempfile.TemporaryDirectory(dir=self.directory) as directory:
            paths = []
            for number, text in enumerate(texts):
                paths.append(Path(directory) / str(number))
                paths[-1].write_bytes(text.encode(errors="surrogateescape"))
            lines = "".join(f"{path}\n" for path in paths).encode()
            return self.line(
                "hash-object", "-w", "--no-filters", "--stdin-paths", input=lines
            ).split()

    def write(self, text: str) -> str:
        content = text.encode(errors="surrogateescape")
        return self.line("hash-object", "-w", "--stdin", input=content)

    def with_files(self, tree: str, files: Mapping[str, tuple[str, str] | None]) -> str:
        """`tree` with some files replaced, or removed where there is nothing in their place."""
        self.git("read-tree", tree)
        lines = [
            f"{mode} {blob}\t{path}\0"
            for path, entry in files.items()
            for mode, blob in [entry or ("0", "0" * len(tree))]
        ]
        text = "".join(lines).encode(errors="surrogateescape")
        self.git("update-index", "-z", "--index-info", input=text)
        return self.line("write-tree")

    def commit(self, tree: str, *parents: str) -> str:
        """A commit that exists for the merge alone."""
        who = ("-c", "user.name=authkit", "-c", "user.email=authkit@localhost")
        options = [part for parent in parents for part in ("-p", parent)]
        return self.line(*who, "commit-tree", tree, *options, "-m", "authkit update")


def quoted(path: str) -> str:
    """A path as a line of `objects/info/alternates`: one with a line break is written as in C."""
    if "\n" not in path:
        return path
    escapes = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    return f'"{path.translate(escapes)}"'


def path_in_tree(directory: Path) -> str:
    """A directory as `<tree>:<path>` wants it, empty at the root."""
    return directory.as_posix() if directory.parts else ""


def parse_entry(entry: str) -> tuple[str, tuple[str, str]]:
    """A line of `git ls-tree`: `100644 blob <id>\t<path>`."""
    meta, path = entry.split("\t", 1)
    mode, _, blob = meta.split()
    return path, (mode, blob)


@contextmanager
def scratch_for(repository: Repository, version: str) -> Iterator[Scratch]:
    """A scratch repository that can see every object of the project's."""
    require_git(repository)
    objects = (
        repository.directory / repository.line("rev-parse", "--git-path", "objects")
    ).resolve()
    prefix = Path(repository.line("rev-parse", "--show-prefix"))
    with tempfile.TemporaryDirectory(prefix="authkit-update-") as directory:
        scratch = Scratch(Path(directory), prefix, f"authkit-{version}")
        form = repository.line("rev-parse", "--show-object-format") or "sha1"
        options = ("--quiet", "--bare", f"--object-format={form}", "--initial-branch=yours")
        scratch.git("init", *options, ".")
        (scratch.directory / "objects/info/alternates").write_bytes(
            f"{quoted(objects.as_posix())}\n".encode(errors="surrogateescape")
        )
        yield scratch


def require_git(repository: Repository) -> None:
    words = repository.line("version").split()
    found = tuple(int(part) for part in words[2].split(".")[:2]) if len(words) > 2 else ()
    if found < OLDEST_GIT:
        raise AuthkitError(
            f"git {'.'.join(map(str, found))} can't merge without a working tree",
            f"install git {'.'.join(map(str, OLDEST_GIT))} or newer",
        )
