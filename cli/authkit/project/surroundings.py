"""The caller's environment, without what would choose another project, or another place, for us.

A shell is set up for many things at once: direnv names another project's Alembic, a hook of git's
another repository, a profile another target for packages. The programs that run here are told
everything that matters; what they would read from such variables is somebody else's.
"""

import os
from collections.abc import Mapping
from typing import Final

CHOOSING: Final = frozenset(
    {
        *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONINSPECT"),
        "PYTHONOPTIMIZE",  # at 2 the docstrings are gone, and with them the contract's descriptions
        # What `git rev-parse --local-env-vars` lists: another repository, or a part of one.
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"),
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CONFIG"),
        *("GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_REPLACE_REF_BASE"),
    }
)
CHOOSING_PREFIXES: Final = ("ALEMBIC_", "UVICORN_", "UV_", "COVERAGE_")
"""uvicorn reads each of its options from a variable, uv each of its settings."""

GIT_KEPT: Final = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_", "GIT_SSH")
"""Who commits, and what is configured."""

COLOURS: Final = ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "PYTHON_COLORS", "RICH_FORCE_COLOR")
"""What makes programs write escape sequences into a pipe, and so into our JSON."""


def for_project() -> dict[str, str]:
    """What the project's own processes get to see of the caller's environment."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in CHOOSING and not name.startswith(CHOOSING_PREFIXES)
    }


def for_reading(environ: Mapping[str, str]) -> dict[str, str]:
    """The same for a process whose output is read by us: UTF-8 without colours, on any machine."""
    plain = {name: value for name, value in environ.items() if name not in COLOURS}
    return plain | {"NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}


def for_git() -> dict[str, str]:
    """What git gets to see: nothing inherited names another repository, its index or its files."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(GIT_KEPT)
    }
    kept.pop("GIT_CONFIG_PARAMETERS", None)  # of the git that called us, for itself
    for name, value in kept.items():
        if name.startswith("GIT_CONFIG_KEY_") and value.lower() in {"core.worktree", "core.bare"}:
            kept[name] = "authkit.ignored"
    return kept
