"""Limit: one row of PostgreSQL through asyncpg alone, in Starlette alone. No security at all."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

POOL_SIZE = 5  # as many as the API has


async def read_user(request: Request) -> JSONResponse:
    row = await request.app.state.pool.fetchrow(
        "SELECT id, email, name, role, created_at FROM users WHERE email = $1",
        os.environ["BENCHMARK_EMAIL"],
    )
    return JSONResponse(
        {
            "id": str(row["id"]),
            "email": row["email"],
            "name": row["name"],
            "role": row["role"],
            "createdAt": row["created_at"].isoformat(),
        }
    )


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
        app.state.pool = pool
        yield


app = Starlette(routes=[Route("/read", read_user)], lifespan=lifespan)
