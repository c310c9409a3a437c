"""Tells coverage of greenlets where the suite needs it: on PostgreSQL.

There, SQLAlchemy's asyncio layer switches between greenlets at each wait, and coverage must ask at
every call in which one it is, or it misses lines. On SQLite statements don't wait, and asking would
be a quarter of the suite's time.
"""

import os

from coverage import CoveragePlugin
from coverage.plugin_support import Plugins
from coverage.types import TConfigurable


class GreenletsOnPostgresql(CoveragePlugin):
    def configure(self, config: TConfigurable) -> None:
        if os.environ.get("TEST_DATABASE_URL"):
            chosen = config.get_option("run:concurrency")
            others = chosen if isinstance(chosen, list) else []
            config.set_option("run:concurrency", [*others, "thread", "greenlet"])


def coverage_init(registry: Plugins, _options: object) -> None:
    """What coverage calls, for the `plugins` of its settings in `pyproject.toml`."""
    registry.add_configurer(GreenletsOnPostgresql())
