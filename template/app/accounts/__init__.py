"""Accounts: who somebody is, and what proves it. Knows nothing of HTTP."""
