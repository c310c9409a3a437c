"""Need not be read: the machinery under the accounts. `authkit update` keeps it.

Nothing here knows what the API is for. Each room has one subject: `database`, `limits`, `http`,
`log`, `mail`, and `checks` of the settings; `modules` finds routers, commands and tables by
themselves.
"""
