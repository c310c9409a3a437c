"""uvicorn's own process logs as the application does.

With `--workers` a parent process starts and watches the workers and never imports the
application, so `uvicorn_log.json`, which the start command passes as `--log-config`, names this.
"""

import logging
import sys

from app.config import SettingsError, load_settings
from app.foundation.log import standard_formatter


def formatter() -> logging.Formatter:
    """Build the formatter that the settings ask for. Wrong settings stop the start here."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(str(error))
    return standard_formatter("json" if settings.json_logs else "console")
