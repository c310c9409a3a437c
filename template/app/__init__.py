"""A REST API with accounts: registration, sign-in with JSON Web Tokens, password reset."""

__version__ = "0.1.0"
