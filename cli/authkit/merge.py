"""The three-way merge of an update: the owner's project, the template then, the template now.

It is git's own merge (merge-ort), of commits made for the purpose in a scratch repository that
borrows the project's objects. So renames are followed, each conflict is found, and the project
is not touched before the whole result is known. Both versions are rendered by copier; its own
update is not used, since it patches the working tree step by step and follows no renames.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from authkit.bundle import git as pristine_git
from authkit.errors import AuthkitError
from authkit.lock_merge import LOCKS, merge_locks
from authkit.migration_line import in_one_line
from authkit.project import MARKER
from authkit.repository import Repository

OLDEST_GIT: Final = (2, 38)
"""The first one with `git merge-tree --write-tree`."""

BASE, OWNER, TEMPLATE = "1", "2", "3"
"""The stages of an index entry that is in conflict (git-read-tree(1))."""


@dataclass(frozen=True)
class Change:
    """What becomes of one file."""

    kind: str
    """added, changed (nobody else had), merged, renamed, removed, kept, or conflicting"""
    path: str
    note: str = ""


@dataclass
class Merge:
    """The result: a tree in the scratch repository, and how it came about."""

    scratch: "Scratch"
    tree: str
    changes: list[Change]
    arriving: frozenset[str]
    """Paths that the project did not have."""
    conflicts: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)
    """For each conflicting path: stage to mode and object."""

    @property
    def conflicting(self) -> list[str]:
        return sorted(self.conflicts)


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
                f"the update can't be prepared: {error}",
                "nothing was changed; make sure that there is room on the disk",
            ) from error

    def line(self, *args: str, input: bytes | None = None) -> str:
        return self.git(*args, input=input).decode().strip()

    def add_directory(self, directory: Path) -> str:
        """The tree of the rendered files, at the place where the project is."""
        index = f"--work-tree={directory.resolve()}"
        self.git("read-tree", "--empty")
        self.git(index, "add", "--all", "--force", ".")
        tree = self.line("write-tree")
        for part in reversed(self.project.parts):
            tree = self.line("mktree", input=f"040000 tree {tree}\t{part}\n".encode())
        return tree

    def files(self, tree: str, *paths: str) -> dict[str, tuple[str, str]]:
        """Path to mode and object."""
        entries = self.git("ls-tree", "-r", "-z", "--full-tree", tree, *paths).split(b"\0")
        return dict(
            parse_entry(entry.decode(errors="surrogateescape")) for entry in entries if entry
        )

    def read(self, blob: str) -> str:
        return self.git("cat-file", "blob", blob).decode(errors="surrogateescape")

    def write(self, text: str) -> str:
        content = text.encode(errors="surrogateescape")
        return self.line("hash-object", "-w", "--stdin", input=content)

    def with_files(self, tree: str, files: Mapping[str, tuple[str, str] | None]) -> str:
        """`tree` with some files replaced, or removed where there is nothing in their place."""
        self.git("read-tree", tree)
        lines = [
            f"{mode} {blob}\t{path}\0"
            for path, entry in files.items()
            for mode, blob in [entry or ("0", "0" * 40)]
        ]
        text = "".join(lines).encode(errors="surrogateescape")
        self.git("update-index", "-z", "--index-info", input=text)
        return self.line("write-tree")

    def commit(self, tree: str, *parents: str) -> str:
        """A commit that exists for the merge alone."""
        who = ("-c", "user.name=authkit", "-c", "user.email=authkit@localhost")
        options = [part for parent in parents for part in ("-p", parent)]
        return self.line(*who, "commit-tree", tree, *options, "-m", "authkit update")

    def at_project(self, path: str) -> str:
        return (self.project / path).as_posix()


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
        scratch.git("init", "--quiet", "--bare", "--initial-branch=yours", ".")
        (scratch.directory / "objects/info/alternates").write_text(f"{objects}\n")
        yield scratch


def require_git(repository: Repository) -> None:
    words = repository.line("version").split()
    found = tuple(int(part) for part in words[2].split(".")[:2]) if len(words) > 2 else ()
    if found < OLDEST_GIT:
        raise AuthkitError(
            f"git {'.'.join(map(str, found))} can't merge without a working tree",
            f"install git {'.'.join(map(str, OLDEST_GIT))} or newer",
        )


def merge(scratch: Scratch, head: str, then: Path, now: Path) -> Merge:
    """Bring what changed in the template from `then` to `now` into the project's `head`."""
    base, template = scratch.add_directory(then), scratch.add_directory(now)
    # The answers are the template's own notes: no edit of theirs may ever conflict.
    answers = scratch.at_project(MARKER)
    owner = scratch.with_files(head, {answers: scratch.files(base)[answers]})
    base_commit = scratch.commit(base)
    sides = {
        "yours": scratch.commit(owner, base_commit),
        scratch.template: scratch.commit(template, base_commit),
    }
    for name, commit in sides.items():
        scratch.git("update-ref", f"refs/heads/{name}", commit)
    tree, conflicts = merge_tree(scratch)
    tree, notes = settle(scratch, tree, conflicts)
    tree, moved = put_migrations_in_one_line(scratch, tree, base, template)
    changes = list(compare(scratch, head, tree, template, conflicts, notes | moved))
    arriving = frozenset(scratch.files(tree).keys() - scratch.files(head).keys())
    return Merge(scratch, tree, changes, arriving, conflicts)


def merge_tree(scratch: Scratch) -> tuple[str, dict[str, dict[str, tuple[str, str]]]]:
    """Git's merge of both sides: the tree, and the stages of each path in conflict."""
    command = [
        *("git", "-c", "merge.directoryRenames=true", "-c", "merge.conflictStyle=merge"),
        *("merge-tree", "--write-tree", "-z", "--no-messages", "yours", scratch.template),
    ]
    environ = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    result = subprocess.run(
        command, cwd=scratch.directory, env=environ, capture_output=True, check=False
    )
    if result.returncode not in {0, 1}:
        raise AuthkitError(f"git can't merge: {result.stderr.decode(errors='replace').strip()}")
    tree, *entries = result.stdout.decode(errors="surrogateescape").split("\0")
    conflicts: dict[str, dict[str, tuple[str, str]]] = {}
    for entry in filter(None, entries):
        meta, path = entry.split("\t", 1)
        mode, blob, stage = meta.split()
        conflicts.setdefault(path, {})[stage] = (mode, blob)
    return tree.strip(), conflicts


def settle(
    scratch: Scratch, tree: str, conflicts: dict[str, dict[str, tuple[str, str]]]
) -> tuple[str, dict[str, str]]:
    """Decide what needs no person: deletions, and locks, which merge by package."""
    decided: dict[str, tuple[str, str] | None] = {}
    notes = {}
    for path, stages in list(conflicts.items()):
        if stages.keys() == {BASE, TEMPLATE}:
            decided[path] = None
            notes[path] = "you deleted it; it stays deleted, although the template changed it"
        elif stages.keys() == {BASE, OWNER}:
            decided[path] = stages[OWNER]
            notes[path] = "no longer in the template; kept, because you changed it"
        elif Path(path).name in LOCKS and stages.keys() == {BASE, OWNER, TEMPLATE}:
            texts = [scratch.read(stages[stage][1]) for stage in (BASE, OWNER, TEMPLATE)]
            decided[path] = (stages[OWNER][0], scratch.write(merge_locks(*texts)))
        else:
            continue
        del conflicts[path]
    return scratch.with_files(tree, decided), notes


def put_migrations_in_one_line(
    scratch: Scratch, tree: str, base: str, template: str
) -> tuple[str, dict[str, str]]:
    """Let the template's new migrations follow the owner's."""
    folder = scratch.at_project("migrations/versions")
    files = {p: e for p, e in scratch.files(tree, f"{folder}/").items() if p.endswith(".py")}
    new = scratch.files(template).keys() - scratch.files(base).keys()
    edits, notes = in_one_line({path: scratch.read(blob) for path, (_, blob) in files.items()}, new)
    written = {path: (files[path][0], scratch.write(text)) for path, text in edits.items()}
    return scratch.with_files(tree, written), notes


def compare(
    scratch: Scratch,
    head: str,
    tree: str,
    template: str,
    conflicts: Mapping[str, object],
    notes: Mapping[str, str],
) -> Iterator[Change]:
    """What the update does to each file of the project."""
    from_template, now = scratch.files(template), scratch.files(tree)
    changed = set()
    for change in differences(scratch, head, tree):
        kind, path = change.kind, change.path
        changed.add(path)
        if path in conflicts:
            kind = "conflicting"
        elif kind == "merged" and now[path] == from_template.get(path):
            kind = "changed"
        yield Change(kind, path, change.note or notes.get(path, ""))
    for path in sorted((conflicts.keys() | notes.keys()) - changed):
        yield Change("conflicting" if path in conflicts else "kept", path, notes.get(path, ""))


def differences(scratch: Scratch, before: str, after: str) -> Iterator[Change]:
    """How two trees differ, renames recognised."""
    listing = scratch.git("diff-tree", "-r", "-z", "-M", "--name-status", before, after)
    fields = iter(listing.decode(errors="surrogateescape").split("\0")[:-1])
    for status in fields:
        path = next(fields)
        if status.startswith("R"):
            yield Change("renamed", next(fields), f"from {path}")
        else:
            yield Change({"A": "added", "D": "removed"}.get(status, "merged"), path)


def apply(result: Merge, repository: Repository) -> None:
    """Put the result into the working tree and the index: staged, conflicts as git marks them."""
    scratch = result.scratch
    top = Repository(Path(repository.line("rev-parse", "--show-toplevel")))
    require_room(result, top.directory)
    sides = ["refs/heads/yours", f"refs/heads/{scratch.template}", "refs/heads/result"]
    scratch.git("update-ref", sides[2], scratch.commit(result.tree))
    top.git(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(scratch.directory), *sides
    )
    top.git("update-index", "-q", "--refresh")
    top.git("read-tree", "-m", "-u", "HEAD", result.tree)
    lines = [
        line
        for path, stages in result.conflicts.items()
        for line in (
            f"0 {'0' * 40}\t{path}\0",
            *(f"{mode} {blob} {stage}\t{path}\0" for stage, (mode, blob) in stages.items()),
        )
    ]
    text = "".join(lines).encode(errors="surrogateescape")
    top.git("update-index", "-z", "--index-info", input=text)


def require_room(result: Merge, top: Path) -> None:
    """Refuse to overwrite what git does not track: git itself guards no file that it ignores."""
    in_the_way = sorted(path for path in result.arriving if os.path.lexists(top / path))
    if in_the_way:
        raise AuthkitError(
            f"the update brings files that are there and that git ignores: {', '.join(in_the_way)}",
            "rename them, or take them out of .gitignore and commit them",
        )
