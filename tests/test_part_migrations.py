"""The line of migrations when a part comes and goes: nothing moves, what is new comes last."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.stamps import LATER, MIGRATION

from authkit.parts import migrations
from authkit.parts.migrations import Lines, migrations_of
from authkit.project.migration_files import VERSIONS, follow, found
from authkit.template.migrations import close_gaps

STAMPS, LATER_PATH = f"{VERSIONS}/9001_stamps.py", f"{VERSIONS}/9002_later.py"
FIRST = LATER.replace("9002_later", "0001_accounts").replace('"9001_stamps"', "None")
WITHOUT = {f"{VERSIONS}/0001_accounts.py": FIRST, LATER_PATH: follow(LATER, "0001_accounts")}
WITH = {f"{VERSIONS}/0001_accounts.py": FIRST, STAMPS: MIGRATION, LATER_PATH: LATER}
PART = {STAMPS: MIGRATION}


def rendered(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def without(tmp_path: Path) -> Path:
    return rendered(tmp_path / "without", WITHOUT)


@pytest.fixture
def with_part(tmp_path: Path) -> Path:
    return rendered(tmp_path / "with", WITH)


def order(project: Path) -> list[str]:
    """The revisions from the first to the last."""
    after = {migration.follows: migration.revision for migration in found(migrations_of(project))}
    line = [after[()]]
    while (line[-1],) in after:
        line.append(after[line[-1],])
    assert len(line) == len(after), "it is no line"
    return line


def test_a_gap_is_closed(tmp_path: Path) -> None:
    project = rendered(tmp_path, {path: text for path, text in WITH.items() if path != STAMPS})

    close_gaps(project)

    assert dict(migrations_of(project)) == WITHOUT


def test_without_a_gap_nothing_changes(with_part: Path) -> None:
    close_gaps(with_part)

    assert dict(migrations_of(with_part)) == WITH


def test_what_comes_later_comes_last(without: Path, with_part: Path) -> None:
    """Databases at 9002_later would otherwise never get the table."""
    data = migrations.add(Lines(PART, WITHOUT), without, with_part)

    assert data == "created"
    assert order(with_part) == ["0001_accounts", "9002_later", "9001_stamps"]


def test_what_was_kept_is_found_again(without: Path, with_part: Path) -> None:
    data = migrations.add(Lines(PART, WITH), without, with_part)

    assert data == "restored"
    assert dict(migrations_of(with_part)) == WITHOUT, "the owner's stays where it is"


def test_nothing_goes_unless_that_is_said(without: Path, with_part: Path) -> None:
    data = migrations.remove(Lines(PART, WITH), with_part, without, drop_data=False)

    assert data == "kept"
    assert dict(migrations_of(without)) == WITH


def test_a_part_without_migrations_changes_none(without: Path, with_part: Path) -> None:
    assert migrations.remove(Lines({}, WITH), without, without, drop_data=True) == "none"
    assert migrations.add(Lines({}, WITH), without, without) == "none"
    assert dict(migrations_of(without)) == WITHOUT


def test_what_was_never_there_is_not_dropped(without: Path, tmp_path: Path) -> None:
    now = rendered(tmp_path / "now", WITHOUT)

    assert migrations.remove(Lines(PART, WITHOUT), now, without, drop_data=True) == "none"
    assert dict(migrations_of(without)) == WITHOUT


def test_dropped_and_made_again_as_often_as_one_likes(tmp_path: Path) -> None:
    owner = dict(WITH)
    names = ("dropped", "again", "dropped_2", "again_2", "dropped_3")
    for step, name in enumerate(names):
        lines, revision = Lines(PART, owner), f"9001_stamps_{name}"
        before = rendered(tmp_path / f"before-{step}", WITH if step % 2 == 0 else WITHOUT)
        after = rendered(tmp_path / f"after-{step}", WITHOUT if step % 2 == 0 else WITH)
        if step % 2 == 0:
            assert migrations.remove(lines, before, after, drop_data=True) == "dropped"
            expected = [*order(before), revision]
        else:
            assert migrations.add(lines, before, after) == "created"
            expected = [*order(before), revision]
        assert order(after) == expected
        path = f"{VERSIONS}/{revision}.py"
        text = (after / path).read_text()
        assert f'revision = "{revision}"\n' in text
        assert f"Revision ID: {revision}\n" in text
        upgrade = text[text.index("def upgrade()") :].partition("\n\n\ndef ")[0]
        assert ("drop_table" in upgrade) == (step % 2 == 0)
        owner[path] = text


def test_what_its_owner_changed_is_what_is_taken_back(without: Path, with_part: Path) -> None:
    edited = MIGRATION.replace('op.drop_table("stamps")', 'op.execute("DROP TABLE stamps")')
    lines = Lines(PART, {**WITH, STAMPS: edited})

    migrations.remove(lines, with_part, without, drop_data=True)

    assert "DROP TABLE stamps" in (without / f"{VERSIONS}/9001_stamps_dropped.py").read_text()


def test_several_migrations_are_taken_back_from_the_last(tmp_path: Path) -> None:
    second = f"{VERSIONS}/9003_stamps.py"
    more = {second: follow(MIGRATION.replace("9001_stamps", "9003_stamps"), "9002_later")}
    with_part = rendered(tmp_path / "with", WITH | more)
    without = rendered(tmp_path / "without", WITHOUT)

    lines = Lines(PART | more, WITH | more)
    migrations.remove(lines, with_part, without, drop_data=True)

    assert order(without)[-2:] == ["9003_stamps_dropped", "9001_stamps_dropped"]
