"""The only importer of copier, which does here what a new directory needs and no more.

`copier.run_copy` compiles a template for each part of each path, and starts a git for each file.
That was three quarters of a rendering's time.
"""

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from copier._main import Worker
from copier._settings import SettingsModel
from copier.errors import CopierError

from authkit.template.source import TEMPLATE_SOURCE

__all__ = ("CopierError", "copy")


class NewProject(Worker):
    """`copier.run_copy`, for files that git knows nothing of yet.

    The class is internal to copier, hence the narrow range of its versions in pyproject.toml;
    `test_render.py` compares what comes out with that of `run_copy`.
    """

    @cached_property
    def jinja_env(self) -> Any:
        """Compile each text once: every part of every path is one, "app" a hundred times."""
        environment: Any = super().jinja_env
        environment.from_string = cache(environment.from_string)
        return environment

    def _answers_to_remember(self) -> Mapping[str, Any]:
        """The template's name instead of the place where it is on this machine."""
        return {**super()._answers_to_remember(), "_src_path": TEMPLATE_SOURCE}

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        """No file is in an index yet; copier would ask git, once a file."""


def copy(source: Path, destination: Path, answers: dict[str, Any], version: str) -> None:
    """Render one version of the template into the new directory `destination`."""
    with NewProject(
        src_path=str(source),
        dst_path=destination,
        data=answers,
        vcs_ref=version,
        settings=SettingsModel(),
        defaults=True,
        overwrite=True,
        quiet=True,
    ) as worker:
        worker.run_copy()
