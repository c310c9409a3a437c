"""What is distributed: the wheel, its template, and what must not be in any file."""

import re
import subprocess
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from authkit import __version__
from authkit.template import bundle

REPOSITORY = Path(__file__).parent.parent
REGISTRY_HOST = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.org|index-url\s*=?\s*http")


def requirements(name: str) -> set[str]:
    lines = (REPOSITORY / "template" / name).read_text().splitlines()
    return {line.rstrip(" \\") for line in lines if line[:1].isalnum()}


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
    return [REPOSITORY / name for name in listing.split("\0") if name]


def test_the_wheel_is_pure_and_named_after_the_distribution(wheel: Path) -> None:
    assert wheel.name == f"authkit_fastapi-{__version__}-py3-none-any.whl"


def test_the_wheel_made_from_the_sdist_carries_the_very_same_template(
    wheel: Path, tmp_path: Path
) -> None:
    """Also a proof that a build is reproducible, in another directory and without a repository."""
    bundle.build(REPOSITORY, __version__, tmp_path / "here.bundle")

    packed = zipfile.ZipFile(wheel).read(f"authkit/{bundle.BUNDLE_NAME}")

    assert packed == (tmp_path / "here.bundle").read_bytes()


def test_the_wheel_contains_the_package_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0].split("-")[0] for name in names} == {"authkit", "authkit_fastapi"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_dev_extra_runs_the_template_s_suite_in_place() -> None:
    ours = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    theirs = tomllib.loads((REPOSITORY / "template" / "pyproject.toml").read_text())

    needed = {*theirs["project"]["dependencies"], *theirs["dependency-groups"]["dev"]}

    assert needed <= set(ours["optional-dependencies"]["dev"])


def test_the_lock_pins_what_the_template_names() -> None:
    pyproject = tomllib.loads((REPOSITORY / "template" / "pyproject.toml").read_text())
    runtime, everything = requirements("requirements.txt"), requirements("requirements-dev.txt")

    def names(lines: set[str]) -> set[str]:
        return {re.split(r"[=<>\[; ]", line.lower())[0] for line in lines}

    assert names(set(pyproject["project"]["dependencies"])) <= names(runtime)
    assert names(set(pyproject["dependency-groups"]["dev"])) <= names(everything)
    assert runtime <= everything, "the development environment has the deployment's versions"
    assert all("==" in line for line in everything)


def test_the_lock_names_the_extras_that_its_packages_ask_for() -> None:
    """pip before 23.3 takes `coverage==1` for no pin of `coverage[toml]`, and gives up."""
    pins = [Requirement(line) for line in requirements("requirements-dev.txt")]
    locked = {str(canonicalize_name(pin.name)): pin.extras for pin in pins}
    asked = {
        (wanted.name, extra)
        for package in distributions()
        for name in [str(canonicalize_name(package.metadata["Name"]))]
        if name in locked
        for wanted in map(Requirement, package.requires or [])
        for extra in wanted.extras
        if any(applies(wanted, own) for own in {"", *locked[name]})
    }

    assert ("coverage", "toml") in asked
    assert {(name, extra) for name, extra in asked if extra not in locked[name]} == set()


def applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def test_no_committed_file_names_the_host_of_a_package_registry() -> None:
    found = [
        path.relative_to(REPOSITORY).as_posix()
        for path in tracked()
        if path.is_file()
        and path != Path(__file__)
        and path.suffix not in {".xz", ".svg", ".png"}
        and REGISTRY_HOST.search(path.read_text(encoding="utf-8"))
    ]

    assert found == []


def test_archived_releases_are_complete() -> None:
    for version, tree in bundle.sorted_releases(REPOSITORY, __version__):
        assert {"copier.yml", "CHANGELOG.md", "template/app/main.py"} <= tree.keys(), version
