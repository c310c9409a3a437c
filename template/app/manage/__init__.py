"""Operator commands: `python -m app.manage --help`."""
