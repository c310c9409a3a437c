"""Tokens, read and judged: pure functions without Typer, Rich, or a running project.

`text` takes pasted text apart, `keys` finds what verifies it, `signature` and `claims` look for
what is wrong, `lints` for what is unwise, `report` puts the verdict together.
"""
