"""authkit generates a FastAPI project with authentication, and operates it."""

from typing import Final

__version__: Final = "0.9.0"
