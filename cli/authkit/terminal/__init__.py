"""The person at the keyboard: what they read, what they are asked, and how they stop a command.

`errors`, `signals`, `screen` and `safe_text` draw nothing and import the standard library alone, so
every room may use them. The others are for `cli` and `commands`.
"""
