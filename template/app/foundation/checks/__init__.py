"""Checks of the settings: how values are written, and which of them are unsafe."""
