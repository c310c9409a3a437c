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
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from authkit.project.project import MARKER
from authkit.project.repository import Repository
from authkit.template.bundle import git as pristine_git
from authkit.terminal.errors import AuthkitError
from authkit.update.locks import LOCKS, merge_locks
from authkit.update.migration_line import in_one_line

OLDEST_GIT: Final = (2, 38)
"""The first one with `git merge-tree --write-tree`."""

BASE, OWNER, TEMPLATE = "1", "2", "3"
"""The stages of an index entry that is in conflict (git-read-tree(1))."""

DELETED: Final = frozenset({"CONFLICT (modify/delete)", "CONFLICT (rename/delete)"})
"""What git calls a file that one side deleted and the other changed or moved."""

Conflicts = dict[str, dict[str, tuple[str, str]]]
"""For each path in conflict: stage to mode and object."""


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
    head: str
    """The commit that was merged into; nothing else may be updated with the result."""
    tree: str
    """The project's, whatever else its repository holds."""
    changes: list[Change]
    arriving: frozenset[str]
    """Paths that the project did not have."""
    conflicts: Conflicts = field(default_factory=dict)

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
    mine = scratch.project_tree(head)
    # The answers are the template's own notes: no edit of theirs may ever conflict.
    owner = scratch.with_files(mine, {MARKER: scratch.files(base)[MARKER]})
    base_commit = scratch.commit(base)
    sides = {
        "yours": scratch.commit(owner, base_commit),
        scratch.template: scratch.commit(template, base_commit),
    }
    for name, commit in sides.items():
        scratch.git("update-ref", f"refs/heads/{name}", commit)
    tree, conflicts, causes = merge_tree(scratch)
    tree, notes = settle(scratch, tree, conflicts, causes)
    tree, moved = put_migrations_in_one_line(scratch, tree, base, template)
    notes |= moved | without_markers(scratch, tree, conflicts)
    changes = list(compare(scratch, mine, tree, template, conflicts, notes))
    arriving = frozenset(scratch.files(tree).keys() - scratch.files(mine).keys())
    return Merge(scratch, head, tree, changes, arriving, conflicts)


def merge_tree(scratch: Scratch) -> tuple[str, Conflicts, dict[str, set[str]]]:
    """Git's merge of both sides: the tree, the stages of each path in conflict, and the causes."""
    command = [
        *("git", "-c", "merge.directoryRenames=true", "-c", "merge.conflictStyle=merge"),
        *("merge-tree", "--write-tree", "-z", "--messages", "yours", scratch.template),
    ]
    environ = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    result = subprocess.run(
        command, cwd=scratch.directory, env=environ, capture_output=True, check=False
    )
    if result.returncode not in {0, 1}:
        raise AuthkitError(f"git can't merge: {result.stderr.decode(errors='replace').strip()}")
    fields = iter(result.stdout.decode(errors="surrogateescape").split("\0"))
    tree = next(fields)
    conflicts: Conflicts = {}
    for entry in iter(partial(next, fields, ""), ""):
        meta, path = entry.split("\t", 1)
        mode, blob, stage = meta.split()
        conflicts.setdefault(path, {})[stage] = (mode, blob)
    return tree, conflicts, causes_of(fields)


def causes_of(messages: Iterator[str]) -> dict[str, set[str]]:
    """The kinds of conflict of each path, from the messages of `git merge-tree -z`."""
    causes: dict[str, set[str]] = {}
    for count in filter(None, messages):
        paths = list(islice(messages, int(count)))
        kind, _ = next(messages), next(messages)
        for path in paths:
            if kind.startswith("CONFLICT"):
                causes.setdefault(path, set()).add(kind)
    return causes


def settle(
    scratch: Scratch, tree: str, conflicts: Conflicts, causes: Mapping[str, set[str]]
) -> tuple[str, dict[str, str]]:
    """Decide what needs no person: deletions, and locks, which merge by package."""
    decided: dict[str, tuple[str, str] | None] = {}
    notes = {}
    for path, stages in list(conflicts.items()):
        deleted = set() < causes.get(path, set()) <= DELETED
        if stages.keys() == {BASE, TEMPLATE} and deleted:
            decided[path] = None
            notes[path] = "you deleted it; it stays deleted, although the template changed it"
        elif stages.keys() == {BASE, OWNER} and deleted:
            decided[path] = stages[OWNER]
            notes[path] = "no longer in the template; kept, because you changed it"
        elif Path(path).name in LOCKS and stages.keys() == {BASE, OWNER, TEMPLATE}:
            texts = [scratch.read(stages[stage][1]) for stage in (BASE, OWNER, TEMPLATE)]
            decided[path] = (stages[OWNER][0], scratch.write(merge_locks(*texts)))
        else:
            continue
        del conflicts[path]
    return scratch.with_files(tree, decided), notes


def without_markers(scratch: Scratch, tree: str, conflicts: Conflicts) -> dict[str, str]:
    """Where the other side is, of conflicts that can't show both in one file."""
    files, notes = scratch.files(tree), {}
    for path, stages in conflicts.items():
        if not stages.keys() >= {OWNER, TEMPLATE}:
            notes[path] = "moved, or of another kind, on one side: both are there, pick one"
        elif path in files and "<<<<<<< " not in scratch.read(files[path][1]):
            notes[path] = f"yours is in place; the template's: git checkout --theirs -- {path}"
    return notes


def put_migrations_in_one_line(
    scratch: Scratch, tree: str, base: str, template: str
) -> tuple[str, dict[str, str]]:
    """Let the template's new migrations follow the owner's."""
    found = scratch.files(tree, "migrations/versions/")
    files = {path: entry for path, entry in found.items() if path.endswith(".py")}
    new = scratch.files(template).keys() - scratch.files(base).keys()
    edits, notes = in_one_line({path: scratch.read(blob) for path, (_, blob) in files.items()}, new)
    written = {path: (files[path][0], scratch.write(text)) for path, text in edits.items()}
    return scratch.with_files(tree, written), notes


def compare(
    scratch: Scratch,
    mine: str,
    tree: str,
    template: str,
    conflicts: Mapping[str, object],
    notes: Mapping[str, str],
) -> Iterator[Change]:
    """What the update does to each file of the project."""
    from_template, now = scratch.files(template), scratch.files(tree)
    changed = set()
    for change in differences(scratch, mine, tree):
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
    require_room(result, repository.directory)
    top = Repository(Path(repository.line("rev-parse", "--show-toplevel")))
    whole = scratch.repository_tree(result.head, result.tree)
    bring_objects(top, scratch, whole)
    top.git("update-index", "-q", "--refresh")
    try:
        top.git("read-tree", "-m", "-u", result.head, whole)
    except AuthkitError as error:
        raise AuthkitError(
            error.message,
            "`git status` shows whether anything was changed; if so, take it back: "
            "git stash --include-untracked",
        ) from error
    lines = [
        line
        for name, stages in result.conflicts.items()
        for path in [(scratch.project / name).as_posix()]
        for line in (
            f"0 {'0' * len(whole)}\t{path}\0",
            *(f"{mode} {blob} {stage}\t{path}\0" for stage, (mode, blob) in stages.items()),
        )
    ]
    text = "".join(lines).encode(errors="surrogateescape")
    top.git("update-index", "-z", "--index-info", input=text)


def bring_objects(top: Repository, scratch: Scratch, whole: str) -> None:
    """Copy the result's objects, and those of both sides of a conflict, into the project's."""
    sides = ["refs/heads/yours", f"refs/heads/{scratch.template}", "refs/heads/result"]
    scratch.git("update-ref", sides[2], scratch.commit(whole))
    # Whatever the owner's own fetches may do and not do: this one stays on this machine.
    local = ("-c", "protocol.file.allow=always", "fetch", "--quiet", "--no-recurse-submodules")
    top.git(*local, "--no-tags", "--no-write-fetch-head", str(scratch.directory), *sides)


def require_room(result: Merge, project: Path) -> None:
    """Refuse to overwrite what git does not track: git itself guards no file that it ignores."""
    tracked = result.scratch.files(result.scratch.project_tree(result.head))
    in_the_way = {
        place
        for path in result.arriving
        for place in (path, *(parent.as_posix() for parent in Path(path).parents if parent.parts))
        if place not in tracked and blocks(project / place, is_file=place == path)
    }
    if in_the_way:
        raise AuthkitError(
            f"there are untracked files where the update brings its own: "
            f"{', '.join(sorted(in_the_way))}",
            "rename them, or commit them (git add --force, where git ignores them)",
        )


def blocks(place: Path, *, is_file: bool) -> bool:
    """Whether something is there that the file, or a directory that leads to it, would replace."""
    return os.path.lexists(place) and (is_file or place.is_symlink() or not place.is_dir())
