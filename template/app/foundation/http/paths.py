"""The path of a request as the routes know it."""

from starlette.types import Scope


def route_path(scope: Scope) -> str:
    """Give the path without the prefix that this API is served under (`--root-path`, `Mount`)."""
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    if prefix and path.startswith(prefix) and path[len(prefix) :][:1] in {"", "/"}:
        return path[len(prefix) :]
    return path
