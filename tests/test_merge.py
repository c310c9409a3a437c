"""The merge of an update, on small trees: each way in which two sides can differ."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from authkit.project.repository import Repository
from authkit.terminal.errors import AuthkitError
from authkit.update.apply import apply
from authkit.update.locks import merge_locks
from authkit.update.merge import Merge, merge
from authkit.update.migration_line import in_one_line
from authkit.update.moves import Moves
from authkit.update.scratch import scratch_for

LINES = "".join(f"line {number}\n" for number in range(1, 31))
THEN = {
    ".copier-answers.yml": "_commit: v0.1.0\n",
    "app/main.py": LINES,
    "app/same.py": "same\n",
}

Files = Mapping[str, str | Path | None]
"""Contents by path; a path for a symbolic link, None where there is no such file."""


def write(directory: Path, files: Files) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        elif content is not None:
            path.write_text(content)
    return directory


def git(directory: Path, *args: str) -> str:
    return subprocess.run(
        ["git", *args], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


def commit(directory: Path, message: str) -> None:
    git(directory, "add", "--all")
    identity = ("-c", "user.name=owner", "-c", "user.email=owner@localhost")
    git(directory, *identity, "commit", "--quiet", "--message", message)


@dataclass(frozen=True)
class Update:
    """A project made from `then`, in a directory of its own repository."""

    tmp: Path
    subdirectory: str = "."
    object_format: str = "sha1"
    moves: Sequence[Moves] = ()

    @property
    def top(self) -> Path:
        return self.tmp / "repository"

    @property
    def project(self) -> Path:
        return self.top / self.subdirectory

    def start(self, then: Files, owner: Files) -> None:
        form = f"--object-format={self.object_format}"
        git(self.tmp, "init", "--quiet", form, str(self.top))
        write(self.project, then)
        write(self.project, owner)
        commit(self.top, "mine")

    @contextmanager
    def merged(self, owner: Files, template: Files, then: Files = THEN) -> Iterator[Merge]:
        if not self.top.exists():
            self.start(then, owner)
        before = write(self.tmp / "before", then)
        after = write(write(self.tmp / "after", then), {".copier-answers.yml": "_commit: v0.2.0\n"})
        write(after, template)
        repository = Repository(self.project)
        with scratch_for(repository, "0.2.0") as scratch:
            yield merge(scratch, repository.line("rev-parse", "HEAD"), before, after, self.moves)

    def apply(
        self, owner: Files, template: Files, then: Files = THEN
    ) -> dict[str, tuple[str, str]]:
        """Merge for real and return what happened to each file."""
        with self.merged(owner, template, then) as result:
            apply(result, Repository(self.project))
            return {change.path: (change.kind, change.note) for change in result.changes}

    def read(self, name: str) -> str:
        return (self.project / name).read_text()


@pytest.fixture
def update(tmp_path: Path) -> Update:
    return Update(tmp_path)


def replace(old: str, new: str, text: str = LINES) -> str:
    assert old in text
    return text.replace(old, new)


def test_both_sides_are_kept_when_they_changed_different_lines(update: Update) -> None:
    mine = {"app/main.py": replace("line 2\n", "my line 2\n")}
    theirs = {"app/main.py": replace("line 29\n", "their line 29\n")}

    changes = update.apply(mine, theirs)

    assert changes["app/main.py"] == ("merged", "")
    both = replace("line 29\n", "their line 29\n", mine["app/main.py"])
    assert update.read("app/main.py") == both
    assert update.read(".copier-answers.yml") == "_commit: v0.2.0\n"


def test_an_untouched_file_becomes_the_template_s(update: Update) -> None:
    changes = update.apply({}, {"app/main.py": "new\n", "app/new.py": "new\n", "app/same.py": None})

    assert changes == {
        ".copier-answers.yml": ("changed", ""),
        "app/main.py": ("changed", ""),
        "app/new.py": ("added", ""),
        "app/same.py": ("removed", ""),
    }
    assert git(update.top, "diff", "--name-only") == "", "everything is staged"
    assert git(update.top, "diff", "--cached", "--name-only").split() == sorted(changes)


def test_every_conflicting_hunk_shows_both_sides(update: Update) -> None:
    """A known trap of others: of two hunks in one file, one was silently overwritten."""
    mine = replace("line 2\n", "my line 2\n", replace("line 29\n", "my line 29\n"))
    theirs = replace("line 2\n", "their line 2\n", replace("line 29\n", "their line 29\n"))

    changes = update.apply({"app/main.py": mine}, {"app/main.py": theirs, "app/new.py": "new\n"})

    text = update.read("app/main.py")
    assert changes["app/main.py"][0] == "conflicting"
    assert text.count("<<<<<<< yours") == text.count(">>>>>>> authkit-0.2.0") == 2
    for line in ("my line 2", "their line 2", "my line 29", "their line 29"):
        assert f"{line}\n" in text
    assert git(update.top, "diff", "--name-only", "--diff-filter=U").split() == ["app/main.py"]
    assert update.read("app/new.py") == "new\n", "the rest is merged"


def test_git_takes_it_all_back(update: Update) -> None:
    mine = {"app/main.py": replace("line 2\n", "my line 2\n"), "app/same.py": None}
    theirs = {"app/main.py": "theirs\n", "app/new.py": "new\n"}
    update.apply(mine, theirs)

    git(update.top, "reset", "--quiet", "--hard")

    assert git(update.top, "status", "--porcelain") == ""
    assert update.read("app/main.py") == mine["app/main.py"]
    assert not (update.project / "app/new.py").exists()


def test_what_was_deleted_stays_deleted(update: Update) -> None:
    changes = update.apply({"app/main.py": None}, {"app/main.py": replace("line 2\n", "new\n")})

    assert not (update.project / "app/main.py").exists()
    assert changes["app/main.py"][0] == "kept"
    assert "stays deleted" in changes["app/main.py"][1]


def test_what_was_changed_is_not_deleted(update: Update) -> None:
    changes = update.apply({"app/same.py": "mine\n"}, {"app/same.py": None})

    assert update.read("app/same.py") == "mine\n"
    assert "kept, because you changed it" in changes["app/same.py"][1]


def test_an_edit_follows_a_rename(update: Update) -> None:
    mine = {"app/main.py": replace("line 2\n", "my line 2\n")}
    theirs = {"app/main.py": None, "app/renamed.py": replace("line 29\n", "their line 29\n")}

    changes = update.apply(mine, theirs)

    assert changes["app/renamed.py"] == ("renamed", "from app/main.py")
    assert not (update.project / "app/main.py").exists()
    both = replace("line 29\n", "their line 29\n", mine["app/main.py"])
    assert update.read("app/renamed.py") == both


def test_a_file_that_both_added_conflicts(update: Update) -> None:
    changes = update.apply({"app/new.py": "mine\n"}, {"app/new.py": "theirs\n"})

    assert changes["app/new.py"][0] == "conflicting"
    assert {"mine", "theirs"} <= set(update.read("app/new.py").splitlines())


def test_a_file_that_both_made_alike_does_not(update: Update) -> None:
    change = {"app/main.py": replace("line 2\n", "fixed line 2\n"), "app/new.py": "new\n"}

    assert update.apply(change, change).keys() == {".copier-answers.yml"}


def test_an_edit_of_the_answers_never_conflicts(update: Update) -> None:
    changes = update.apply({".copier-answers.yml": "_commit: v0.1.0\n# mine\n"}, {})

    assert changes == {".copier-answers.yml": ("changed", "")}
    assert update.read(".copier-answers.yml") == "_commit: v0.2.0\n"


def test_a_file_that_git_does_not_track_is_never_overwritten(update: Update) -> None:
    with update.merged({".gitignore": "secret.txt\n"}, {"secret.txt": "theirs\n"}) as result:
        write(update.project, {"secret.txt": "mine\n"})
        with pytest.raises(AuthkitError, match=r"secret\.txt"):
            apply(result, Repository(update.project))

    assert update.read("secret.txt") == "mine\n"
    assert git(update.top, "status", "--porcelain") == "", "nothing else was changed"


@pytest.mark.parametrize("name", ["app/new/__init__.py", "app/new"])
def test_nor_does_a_new_directory_take_the_place_of_such_a_file(update: Update, name: str) -> None:
    """Git itself deletes a file or link that it ignores where it needs a directory."""
    with update.merged({".gitignore": "new\n"}, {f"{name}/deep.py": "theirs\n"}) as result:
        write(update.project, {"app/new": Path("../precious")})
        with pytest.raises(AuthkitError, match=r"app/new"):
            apply(result, Repository(update.project))

    assert (update.project / "app/new").readlink() == Path("../precious")
    assert git(update.top, "status", "--porcelain") == "", "nothing else was changed"


def test_a_commit_that_was_made_meanwhile_is_not_taken_back(update: Update) -> None:
    with update.merged({}, {"app/main.py": "theirs\n"}) as result:
        write(update.project, {"app/main.py": "newer\n"})
        commit(update.top, "meanwhile")
        with pytest.raises(AuthkitError, match=r"app/main\.py"):
            apply(result, Repository(update.project))

    assert update.read("app/main.py") == "newer\n"
    assert git(update.top, "status", "--porcelain") == ""


def test_a_binary_file_in_conflict_says_where_the_other_side_is(update: Update) -> None:
    then = THEN | {"logo.png": "\0then"}

    changes = update.apply({"logo.png": "\0mine"}, {"logo.png": "\0theirs"}, then)

    kind, note = changes["logo.png"]
    assert (kind, update.read("logo.png")) == ("conflicting", "\0mine")
    command = note.split(": ")[1]
    git(update.project, *command.split()[1:])
    assert update.read("logo.png") == "\0theirs"


def test_a_file_that_became_a_link_is_not_taken_for_deleted(update: Update) -> None:
    mine = {"app/same.py": Path("main.py")}

    changes = update.apply(mine, {"app/same.py": "theirs\n"})

    assert (update.project / "app/same.py").readlink() == Path("main.py")
    assert update.read("app/same.py~authkit-0.2.0") == "theirs\n"
    both = {path for path, (kind, _) in changes.items() if kind == "conflicting"}
    assert both == {"app/same.py", "app/same.py~authkit-0.2.0"}
    assert all("both are there" in changes[path][1] for path in both)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_project_inside_a_larger_repository(tmp_path: Path, object_format: str) -> None:
    update = Update(tmp_path, "services/api", object_format)
    mine = {"app/main.py": replace("line 2\n", "my line 2\n"), "../other/file.txt": "other\n"}

    changes = update.apply(mine, {"app/main.py": replace("line 29\n", "new\n")})

    assert changes.keys() == {"app/main.py", ".copier-answers.yml"}
    assert "my line 2\n" in update.read("app/main.py")
    assert update.read("../other/file.txt") == "other\n"
    staged = git(update.top, "diff", "--cached", "--name-only").split()
    assert staged == ["services/api/.copier-answers.yml", "services/api/app/main.py"]


def test_a_conflict_inside_a_larger_repository_is_one_for_git_too(tmp_path: Path) -> None:
    update = Update(tmp_path, "services/api")

    changes = update.apply({"app/same.py": "mine\n"}, {"app/same.py": "theirs\n"})

    assert changes["app/same.py"][0] == "conflicting"
    unmerged = git(update.top, "diff", "--name-only", "--diff-filter=U")
    assert unmerged == "services/api/app/same.py\n"
    assert {"mine", "theirs"} <= set(update.read("app/same.py").splitlines())


def test_the_neighbours_in_a_larger_repository_are_left_alone(tmp_path: Path) -> None:
    """A file deleted here that another project has too would look as if it had moved there."""
    update = Update(tmp_path, "services/api")
    mine = {"app/main.py": None} | {f"../other/{name}": text for name, text in THEN.items()}

    changes = update.apply(mine, {"app/main.py": replace("line 2\n", "new\n")})

    assert "stays deleted" in changes["app/main.py"][1]
    assert git(update.top, "status", "--porcelain", "--", ":/services/other") == ""
    assert update.read("../other/app/main.py") == LINES


def test_a_project_that_its_repository_ignores_is_refused(tmp_path: Path) -> None:
    update = Update(tmp_path, "services/api")

    with (
        pytest.raises(AuthkitError, match="not in the last commit"),
        update.merged({"../../.gitignore": "services\n"}, {}),
    ):
        pytest.fail("it was merged")


def test_no_submodule_is_fetched(update: Update) -> None:
    """The owner's own habits for fetching may need a network, or forbid a local directory."""
    update.start(THEN, {})
    library = update.tmp / "library"
    git(update.tmp, "clone", "--quiet", str(update.top), str(library))
    git(update.top, "-c", "protocol.file.allow=always", "submodule", "add", str(library), "lib")
    commit(update.top, "vendored")
    library.rename(update.tmp / "unreachable")
    git(update.top, "config", "fetch.recurseSubmodules", "true")
    git(update.top, "config", "protocol.allow", "never")

    update.apply({}, {"app/main.py": "theirs\n"})

    assert update.read("app/main.py") == "theirs\n"
    assert "lib" not in git(update.top, "status", "--porcelain")


def lock(*pins: str, head: str = "# how to make it\n") -> str:
    return head + "".join(f"{pin} \\\n    --hash=sha256:{pin}\n" for pin in pins)


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (("a==1", "b==1", "c==1"), ("a==2", "b==1"), ("a==2", "b==1", "c==1")),  # c is mine
        (("a==3", "b==1"), ("a==2", "b==1"), ("a==3", "b==1")),  # the newer one
        (("a==2", "b==1"), ("a==10", "b==1"), ("a==10", "b==1")),  # by number
        (("b==1",), ("a==2", "b==1"), ("a==2", "b==1")),  # removed, but needed again
        (("a==1", "b==2"), ("a==1",), ("a==1", "b==2")),  # changed, so still wanted
        (("a==1", "b==1"), ("a==1",), ("a==1",)),
        (("a==1",), ("a==1", "b==1"), ("a==1",)),
        (("a==1", "b==1"), ("a==1", "b==1", "z==1"), ("a==1", "b==1", "z==1")),
    ],
)
def test_locks_merge_by_package(
    mine: tuple[str, ...], theirs: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    merged = merge_locks(lock("a==1", "b==1"), lock(*mine, head="# mine\n"), lock(*theirs))

    assert merged == lock(*expected, head="# mine\n")


def test_locks_never_conflict(update: Update) -> None:
    then = THEN | {"requirements.txt": lock("a==1", "b==1")}
    mine, theirs = lock("a==2", "b==1", "own==5"), lock("a==3", "b==2")

    changes = update.apply({"requirements.txt": mine}, {"requirements.txt": theirs}, then)

    assert changes["requirements.txt"] == ("merged", "")
    assert update.read("requirements.txt") == lock("a==3", "b==2", "own==5")


def migration(revision: str, down: str | None) -> str:
    spelled = f'"{down}"' if down else "None"
    return (
        f'"""Something.\n\nRevision ID: {revision}\nRevises: {down or ""}\n"""\n\n'
        f'revision: str = "{revision}"\ndown_revision: str | None = {spelled}\n'
    )


def test_migrations_of_both_sides_form_one_line(update: Update) -> None:
    folder = "migrations/versions"
    then = THEN | {f"{folder}/0001.py": migration("0001", None)}
    mine = {
        f"{folder}/notes.py": migration("notes", "0001"),
        f"{folder}/tags.py": migration("tags", "notes"),
    }
    theirs = {
        f"{folder}/0002.py": migration("0002", "0001"),
        f"{folder}/0003.py": migration("0003", "0002"),
    }

    changes = update.apply(mine, theirs, then)

    assert changes[f"{folder}/0002.py"] == ("added", "follows your tags")
    assert update.read(f"{folder}/0002.py") == migration("0002", "tags")
    assert update.read(f"{folder}/0003.py") == migration("0003", "0002")
    assert update.read(f"{folder}/notes.py") == mine[f"{folder}/notes.py"]


def test_migrations_without_a_safe_order_are_named_with_the_mend() -> None:
    files = {
        "0001.py": migration("0001", None),
        "0002.py": migration("0002", "0001"),
        "one.py": migration("one", "0001"),
        "two.py": migration("two", "0001"),
    }

    edits, notes = in_one_line(files, {"0002.py"})

    assert edits == {}
    assert all("alembic merge heads" in note for note in notes.values())
    assert notes.keys() == {"0002.py", "one.py", "two.py"}


def test_a_join_of_the_owner_s_is_understood_however_it_is_formatted() -> None:
    join = migration("join", "one").replace(' = "one"', ' = (\n    "one",\n    "two",\n)')
    files = {
        "0001.py": migration("0001", None),
        "0002.py": migration("0002", "0001"),
        "one.py": migration("one", "0001"),
        "two.py": migration("two", "0001"),
        "join.py": join,
    }

    edits, notes = in_one_line(files, {"0002.py"})

    assert edits == {"0002.py": migration("0002", "join")}
    assert notes == {"0002.py": "follows your join"}


def test_migrations_in_one_line_are_left_alone() -> None:
    files = {"0001.py": migration("0001", None), "0002.py": migration("0002", "0001")}

    assert in_one_line(files, {"0002.py"}) == ({}, {})
