"""The pages that show the API, `/docs` and `/redoc`, and `/` that names them.

They load nothing from a foreign host, so they also work behind a firewall or on a train.
Swagger UI and ReDoc are files of the package fastapi-offline; none of its code is run.
"""

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.responses import FileResponse

from app.errors import AppError, ErrorCode
from app.foundation.limits import unlimited

PAGES: Final = {"/docs": "docs.html", "/redoc": "redoc.html"}
OPENAPI: Final = "/openapi.json"

_OURS: Final = Path(__file__).with_name("pages")
_ASSETS: Final = {"page.css", "swagger.js", "redoc.js"}
_FOREIGN: Final = {"swagger-ui.css", "swagger-ui-bundle.js", "redoc.standalone.js"}


def add_docs_pages(app: FastAPI) -> None:
    """Serve the pages, and `/` unless the owner has a route there."""
    router = APIRouter(include_in_schema=False)
    for path, name in PAGES.items():
        router.add_api_route(path, _page(name), response_class=FileResponse)
    router.add_api_route("/docs/{name}", _asset, response_class=FileResponse)
    if all(route.path != "/" for route in iter_route_contexts(app.routes)):
        router.add_api_route("/", _root)
    app.include_router(router)


async def _root(request: Request) -> dict[str, Any]:
    """The start page: what this is."""
    app, prefix = request.app, request.scope.get("root_path", "")
    docs = [prefix + path for path in (*PAGES, OPENAPI)]
    return {"name": app.title, "version": app.version, "documentation": docs}


def _page(name: str) -> Callable[[], Awaitable[FileResponse]]:
    async def page() -> FileResponse:
        return FileResponse(_OURS / name)

    return page


@unlimited  # a page is five requests
async def _asset(name: str) -> FileResponse:
    directory = _OURS if name in _ASSETS else _package() if name in _FOREIGN else None
    if directory is None:
        raise AppError(404, ErrorCode.NOT_FOUND, "There is nothing at this address.")
    return FileResponse(directory / name, headers={"Cache-Control": "public, max-age=3600"})


def _package() -> Path:
    """The place of the package's files, without importing it."""
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise RuntimeError("fastapi-offline is not installed: it has the files of /docs")
    return Path(spec.origin).with_name("static")
