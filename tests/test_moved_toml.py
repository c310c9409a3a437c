"""`template/moved.toml` against the releases: whatever an owner can import is found again."""

import ast
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from authkit.template.bundle import version_key
from authkit.update.moves import Moves, between, dotted

REPOSITORY = Path(__file__).parents[1]
TEMPLATE = REPOSITORY / "template"
ENTRIES = between((TEMPLATE / "moved.toml").read_text(), "0.0.0", "999.0.0")
RELEASES = {path.name.removesuffix(".tar.xz"): path for path in REPOSITORY.glob("releases/*.xz")}


def at_the_top(tree: ast.Module | ast.With) -> Iterator[ast.stmt]:
    """The statements of a module, and those of its `with` blocks."""
    for node in tree.body:
        if isinstance(node, ast.With):
            yield from at_the_top(node)
        else:
            yield node


def public_names(source: str, *, imported: bool) -> Iterator[str]:
    """What a module offers: what it defines, and if so asked, what it has from others."""
    for node in at_the_top(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif imported and isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def frozen_before(version: str) -> str:
    """The newest release before it whose contents are kept; the latest one may not be, yet."""
    older = [frozen for frozen in RELEASES if version_key(frozen) < version_key(version)]
    return max(older, key=version_key)


def released(before: str) -> Iterator[tuple[str, str]]:
    """Every public name of the application, by module, in the newest release before `before`."""
    with tarfile.open(RELEASES[frozen_before(before)]) as tar:
        for member in tar:
            path = member.name.removeprefix("template/")
            if path.startswith("app/") and path.endswith(".py"):
                file = tar.extractfile(member)
                assert file is not None
                for name in public_names(file.read().decode(), imported=False):
                    if not name.startswith("_") and name not in {"logger", "T"}:
                        yield dotted(path), name


def is_there(module: str, name: str) -> bool:
    place = TEMPLATE / module.replace(".", "/")
    files = [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    return bool(files) and name in public_names(files[0].read_text(), imported=True)


def final(module: str, name: str, entries: list[Moves]) -> tuple[str, str]:
    for moves in entries:
        module, name = moves.renames.member(module, name)
    return module, name


@pytest.mark.parametrize("number", range(len(ENTRIES)), ids=lambda number: ENTRIES[number].version)
def test_every_public_name_is_found_again(number: int) -> None:
    frozen = frozen_before(ENTRIES[number].version)
    later = [moves for moves in ENTRIES if version_key(moves.version) > version_key(frozen)]
    gone = {name for moves in later for name in moves.renames.gone}

    lost = {
        f"{module}.{name}": ".".join(final(module, name, later))
        for module, name in released(ENTRIES[number].version)
        if f"{module}.{name}" not in gone and not is_there(*final(module, name, later))
    }

    assert lost == {}


def test_what_moved_is_at_its_new_place_and_not_at_its_old_one() -> None:
    moved = {old: new for moves in ENTRIES for old, new in moves.files.items()}

    assert [old for old in moved if (TEMPLATE / old).exists()] == []
    assert [
        new for new in moved.values() if new not in moved and not (TEMPLATE / new).exists()
    ] == []


def test_a_section_is_on_its_new_page() -> None:
    pages = {new.partition("#")[::2] for moves in ENTRIES for new in moves.sections.values()}

    missing = [
        f"{page}#{title}"
        for page, title in sorted(pages)
        if not any(
            line.lstrip("#").strip() == title
            for line in (TEMPLATE / page).read_text().splitlines()
            if line.startswith("#")
        )
    ]

    assert missing == []
