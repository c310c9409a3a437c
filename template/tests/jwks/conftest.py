"""The application with access tokens by a key pair, once for each algorithm."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.accounts.key_rings import Key
from app.config import load_settings
from app.jwks.key_pairs import new_key_pair, read_key_pair
from tests.helpers import Account, connect, register, running_app, services_of

ALGORITHMS = ("EdDSA", "ES256")
SERVICE_TOKEN = "a-service-token-of-some-forty-characters"
SERVICE = {"Authorization": f"Bearer {SERVICE_TOKEN}"}


@pytest.fixture(scope="session")
def pairs() -> dict[str, str]:
    """A private key for each algorithm, as the settings spell it."""
    return {algorithm: new_key_pair(algorithm) for algorithm in ALGORITHMS}


@pytest.fixture(scope="session", params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def pair(pairs: dict[str, str], algorithm: str) -> str:
    return pairs[algorithm]


@pytest.fixture(scope="session")
def key(pair: str) -> Key:
    return read_key_pair(pair)


@pytest.fixture(scope="session")
async def shared_pair_app(
    anyio_backend: str, settings_of_tests: dict[str, str], migrated_database: str, pair: str
) -> AsyncIterator[FastAPI]:
    values: dict[str, Any] = {
        **settings_of_tests,
        "database_url": migrated_database,
        "jwt_private_keys": pair,
        "service_tokens": SERVICE_TOKEN,
    }
    async with running_app(load_settings(_env_file=None, **values)) as running:
        # It lives on while others test, on the same database: their mail is not its to send.
        await services_of(running).outbox.close()
        yield running


@pytest.fixture
async def pair_app(shared_pair_app: FastAPI, database_url: str) -> FastAPI:
    """The application that signs access tokens with the pair, with an empty database."""
    await services_of(shared_pair_app).limiter.reset()
    return shared_pair_app


@pytest.fixture
async def client(pair_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(pair_app) as connected:
        yield connected


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> Account:
    return await register(client)
