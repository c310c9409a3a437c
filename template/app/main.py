"""The application that runs: `uvicorn app.main:app`."""

import sys

from app.foundation.garbage import nothing_collected

with nothing_collected():
    import structlog

    from app.application import create_app
    from app.config import Environment, SettingsError, load_settings
    from app.foundation.checks.production import general_warnings, production_warnings
    from app.foundation.log import configure_logging

    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(str(error))

    configure_logging(settings.log_level, "json" if settings.json_logs else "console")
    risks = general_warnings(settings)
    if settings.environment is Environment.PRODUCTION:
        risks += production_warnings(settings)
    for setting, risk in risks:
        structlog.get_logger().warning("settings.risk", setting=setting, risk=risk)
    app = create_app(settings)
