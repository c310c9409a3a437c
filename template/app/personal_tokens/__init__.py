"""Personal access tokens: how scripts and CI sign in. This is a part, see docs/tokens.md."""
