"""What the OpenAPI document says when the refresh token is in a cookie."""

from typing import Any

from fastapi import FastAPI


def describe_cookie(app: FastAPI) -> None:
    """Leave `refreshToken` out of the answers, and out of what requests must have."""
    document = app.openapi

    def openapi() -> dict[str, Any]:
        schemas = document()["components"]["schemas"]
        for name in ("Tokens", "SignedIn"):
            schemas[name]["properties"].pop("refreshToken", None)
            schemas[name]["required"] = [*schemas[name]["properties"]]
        schemas["RefreshInput"].pop("required", None)
        return document()

    app.openapi = openapi  # type: ignore[method-assign]
