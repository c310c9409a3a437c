"""Tells coverage how to measure, which depends on the database and on the version of Python.

On PostgreSQL, SQLAlchemy's asyncio layer switches between greenlets at each wait, and coverage must
ask at every call in which one it is, or it misses lines. On SQLite statements don't wait, and
asking would be a quarter of the suite's time. There, from Python 3.12 on, the interpreter itself
reports each line once (`sys.monitoring`), where a tracer is called for every line that is run.
"""

import os
import sys

from coverage import CoveragePlugin
from coverage.plugin_support import Plugins
from coverage.types import TConfigurable


class HowToMeasure(CoveragePlugin):
    def configure(self, config: TConfigurable) -> None:
        """Set what is not chosen yet; COVERAGE_CORE, for one, chooses."""
        if os.environ.get("TEST_DATABASE_URL"):
            chosen = config.get_option("run:concurrency")
            others = chosen if isinstance(chosen, list) else []
            config.set_option("run:concurrency", [*others, "thread", "greenlet"])
        elif sys.version_info >= (3, 12) and config.get_option("run:core") is None:
            config.set_option("run:core", "sysmon")


def coverage_init(registry: Plugins, _options: object) -> None:
    """What coverage calls, for the `plugins` of its settings in `pyproject.toml`."""
    registry.add_configurer(HowToMeasure())
