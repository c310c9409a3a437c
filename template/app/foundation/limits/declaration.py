"""A route's limit stands at the route.

    @router.post("/reports")
    @rate_limit("10/minute", by="user")
    async def make_report(...): ...

A route without one falls under the general limit, so none can be forgotten. The declarations
are turned into a table when the application starts, see `routes`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

_ATTRIBUTE: Final = "rate_limit_policy"

By = Literal["user", "address", "refresh_token"]

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Policy:
    """An endpoint's limit, checked before the request is read.

    Args:
        rate: None for the general limit.
        hashes_password: refuse while no more passwords can be hashed.
    """

    rate: str | None = None
    by: By = "user"
    unlimited: bool = False
    hashes_password: bool = False


def rate_limit(rate: str, *, by: By) -> Callable[[Endpoint], Endpoint]:
    """Give an endpoint a limit of its own, in place of the general one.

    Args:
        rate: "10/minute", or the name of a setting that holds one: "RATE_LIMIT_AUTH".
        by: whose requests are counted together. "user" means the address if nobody is signed in.
            "refresh_token" means the user of the refresh token in the body; without one it means
            "user".
    """
    return lambda endpoint: _declare(endpoint, rate=rate, by=by)


def general_limit(*, by: By) -> Callable[[Endpoint], Endpoint]:
    """Count an endpoint's requests under the general limit, but by something else than the user."""
    return lambda endpoint: _declare(endpoint, by=by)


def unlimited(endpoint: Endpoint) -> Endpoint:
    """Count no requests for this endpoint."""
    return _declare(endpoint, unlimited=True)


def hashes_password(endpoint: Endpoint) -> Endpoint:
    """Refuse while the queue for hashing is full, before the request is counted. A client that
    obeys `Retry-After` during a flood must not lose its tries without having had one.
    """
    return _declare(endpoint, hashes_password=True)


def policy_of(endpoint: object) -> Policy | None:
    """What an endpoint declares; None when it declares nothing."""
    policy: Policy | None = getattr(endpoint, _ATTRIBUTE, None)
    return policy


def _declare(endpoint: Endpoint, **changes: Any) -> Endpoint:
    setattr(endpoint, _ATTRIBUTE, replace(policy_of(endpoint) or Policy(), **changes))
    return endpoint
