"""Users move in from elsewhere, passwords included. This is a part, see docs/import.md."""
