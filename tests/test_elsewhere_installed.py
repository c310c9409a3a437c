"""The wheel as the index would hand it out: installed by uv and by pip, in an empty home.

Afterwards nothing is fetched any more: a project is made, and works, without a network.
"""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.conftest import environ
from tests.test_update import uv_cache

from authkit import __version__
from authkit.project.environment import find_uv

REPOSITORY = Path(__file__).parent.parent
NOWHERE = "http://127.0.0.1:9"
# Without PIP_NO_INDEX: authkit passes pip's word on to uv, which then looks into no cache either.
OFFLINE = {"UV_OFFLINE": "1", "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty; the packages that were fetched once lie in a cache elsewhere."""
    monkeypatch.setenv("UV_CACHE_DIR", uv_cache())
    pip_cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pip"
    monkeypatch.setenv("PIP_CACHE_DIR", str(pip_cache))
    empty = tmp_path / "home"
    empty.mkdir()
    monkeypatch.setenv("HOME", str(empty))
    for name in [name for name in os.environ if name.startswith(("XDG_", "VIRTUAL_ENV"))]:
        monkeypatch.delenv(name)
    return empty


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    process = subprocess.run(
        command, cwd=cwd, env=environ(env), capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def kept_in(home: Path) -> set[Path]:
    return {path for path in home.rglob("*") if path.relative_to(home).parts[0] != ".cache"}


@pytest.mark.parametrize("how", ["uv", "pip"])
def test_a_project_is_made_offline_by_what_was_installed_in_an_empty_home(
    wheel: Path, home: Path, tmp_path: Path, how: str
) -> None:
    """With uv it is the README's line, `uvx --from authkit-fastapi authkit new myapi`."""
    authkit: list[str | Path]
    if how == "uv":
        uvx = (find_uv(), "tool", "run", "--python", sys.executable, "--from", wheel)
        authkit = [*uvx, "authkit"]
    else:
        run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
        run(tmp_path / "venv/bin/pip", "install", "--quiet", wheel, cwd=tmp_path)
        authkit = [tmp_path / "venv/bin/authkit"]
    assert run(*authkit, "--version", cwd=tmp_path) == f"authkit {__version__}\n"
    before = kept_in(home)  # uv has its list of tools there; pip asks rustc, which may be rustup

    made = json.loads(run(*authkit, "new", "myapi", "-y", "--json", cwd=tmp_path, **OFFLINE))
    if how == "uv":
        assert made["next"][-1] == "uvx --from authkit-fastapi authkit serve", (
            "it is gone from PATH"
        )

    project = tmp_path / "myapi"
    assert run(*authkit, "doctor", cwd=project, **OFFLINE) == ""
    assert "user@example.com" in run(*authkit, "user", "list", cwd=project, **OFFLINE)
    assert (
        run(*authkit, "update", "--check", cwd=project, **OFFLINE) == f"up to date: {__version__}\n"
    )
    assert kept_in(home) == before, "authkit leaves nothing there"


def test_the_index_is_told_what_a_newcomer_looks_for() -> None:
    """Publishing is the owner's; what is published says where it is from and on what it runs."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    assert project["name"] == "authkit-fastapi"
    assert {"Homepage", "Changelog", "Issues"} <= project["urls"].keys()
    assert (
        f"Programming Language :: Python :: {sys.version_info[0]}.{sys.version_info[1]}"
        in (project["classifiers"])
    )
    readme = (REPOSITORY / project["readme"]).read_text()
    assert "uvx --from authkit-fastapi authkit new myapi" in readme


def test_the_release_keeps_no_token_and_pins_what_it_runs() -> None:
    import yaml

    text = (REPOSITORY / ".github/workflows/release.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]

    assert "secrets." not in text
    assert "password" not in text
    assert jobs["publish"]["permissions"]["id-token"] == "write"
    assert jobs["publish"]["needs"] == "try"
    assert jobs["try"]["needs"] == "build"
    assert (jobs["build"]["needs"], jobs["gate"]["uses"]) == ("gate", "./.github/workflows/ci.yml")
    steps = [step for job in jobs.values() for step in job.get("steps", ())]
    tools = [step["run"] for step in steps if "pip install" in step.get("run", "")]
    assert tools == [
        "python -m pip install build==1.6.1 twine==7.0.0",
        "python -m pip install dist/*.whl",
    ]
    for step in steps:
        if "uses" in step:
            assert len(step["uses"].partition("@")[2]) == 40, step["uses"]
