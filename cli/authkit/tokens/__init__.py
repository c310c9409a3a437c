"""Tokens, read, judged and put into words: pure functions without Typer, Rich, or a project.

`text` takes pasted text apart, `parts` decodes each part, `keys` and `key_formats` find what
verifies it, `signature` and `claims` look for what is wrong, `lints` for what is unwise, `report`
puts the verdict together, and `view` is what becomes of it in words and JSON.
"""
