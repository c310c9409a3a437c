"""The person at the keyboard: what they read, what they are asked, and how they stop a command.

`errors` and `signals` need no Rich and no Typer, so every room may use them; only `commands` and
`cli` use the others.
"""
