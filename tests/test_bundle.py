"""The template as a git bundle: complete, reproducible, and without this repository's history."""

import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from authkit import __version__
from authkit.template import bundle

REPOSITORY = Path(__file__).parent.parent


def git(directory: Path, *args: str) -> str:
    return subprocess.run(
        ["git", *args], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small repository with one archived release."""
    root = tmp_path / "source"
    (root / "template" / "app").mkdir(parents=True)
    (root / "releases").mkdir()
    (root / "copier.yml").write_text("_subdirectory: template\n")
    (root / "template" / "app" / "main.py").write_text("print('one')\n")
    with tarfile.open(root / "releases" / "0.1.0.tar.xz", "w:xz") as tar:
        tar.add(root / "copier.yml", "copier.yml")
        tar.add(root / "template", "template")
    (root / "template" / "app" / "main.py").write_text("print('two')\n")
    (root / "template" / "run").write_text("#!/bin/sh\n")
    (root / "template" / "run").chmod(0o755)
    (root / "template" / "link").symlink_to("run")
    return root


def clone(bundled: Path, target: Path) -> Path:
    git(bundled.parent, "clone", "--quiet", str(bundled), str(target))
    return target


def test_the_same_files_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    bundle.build(source, "0.2.0", tmp_path / "first")
    (source / "template" / "link").touch()
    bundle.build(source, "0.2.0", tmp_path / "second")

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_each_release_is_a_tagged_commit_with_its_own_files(source: Path, tmp_path: Path) -> None:
    bundle.build(source, "0.2.0", tmp_path / "out.bundle")

    repository = clone(tmp_path / "out.bundle", tmp_path / "clone")

    assert git(repository, "tag").split() == ["v0.1.0", "v0.2.0"]
    assert git(repository, "show", "v0.1.0:template/app/main.py") == "print('one')\n"
    assert git(repository, "show", "v0.2.0:template/app/main.py") == "print('two')\n"
    modes = git(repository, "ls-tree", "-r", "v0.2.0", "template/run", "template/link")
    assert "100755 blob" in modes
    assert "120000 blob" in modes


def test_left_overs_of_running_the_template_stay_out(source: Path) -> None:
    for name in (".env", "app.db", ".coverage", "__pycache__/main.pyc", ".venv/bin/python"):
        path = source / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    files = set(bundle.working_tree(source))

    assert files == {"copier.yml", *(f"template/{name}" for name in ("app/main.py", "run", "link"))}


def test_releases_are_ordered_by_number_not_by_letter(source: Path) -> None:
    for version in ("0.9.0", "0.10.0"):
        archive = source / "releases" / f"{version}.tar.xz"
        archive.write_bytes((source / "releases" / "0.1.0.tar.xz").read_bytes())

    releases = [version for version, _ in bundle.sorted_releases(source, "0.11.0")]

    assert releases == ["0.1.0", "0.9.0", "0.10.0", "0.11.0"]


@pytest.mark.parametrize("version", ["0.1.0", "0.0.9"])
def test_a_version_that_is_released_already_is_refused(source: Path, version: str) -> None:
    with pytest.raises(ValueError, match=r"0\.1\.0"):
        bundle.sorted_releases(source, version)


def test_it_contains_what_this_repository_tracks_and_nothing_else() -> None:
    tracked = git(REPOSITORY, "ls-files", "-co", "--exclude-standard", *bundle.CONTENTS)

    assert sorted(bundle.working_tree(REPOSITORY)) == sorted(tracked.splitlines())


def test_the_newest_release_is_the_version_of_the_distribution() -> None:
    assert bundle.sorted_releases(REPOSITORY, __version__)[-1][0] == __version__


def test_copier_leaves_out_what_the_bundle_leaves_out() -> None:
    answers = yaml.safe_load((REPOSITORY / "copier.yml").read_text())

    always = {pattern for pattern in answers["_exclude"] if "{%" not in pattern}
    assert always == {*bundle.LEFT_OVERS, "moved.toml", "openapi.json", "skeletons"}
