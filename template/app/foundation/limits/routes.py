"""Which limit a request falls under: the declarations of all routes, as a table."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from fastapi.routing import iter_route_contexts
from slowapi.wrappers import Limit
from starlette.routing import BaseRoute, compile_path
from starlette.types import Scope

from app.config import Settings
from app.foundation.http.paths import route_path
from app.foundation.limits.declaration import Policy, policy_of
from app.foundation.limits.limiter import new_limit

GENERAL: Final = "general"

_GENERAL_RATE: Final = (GENERAL, "RATE_LIMIT_GENERAL")

SITE_FACTOR: Final = 20
"""The /48 around an IPv6 client has this many times the limit: one customer may own all of it, and
a network of phones may share it."""

KeyOf = Callable[[Scope], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy with its rate read: what is done before a request is served."""

    limit: Limit | None
    key_of: KeyOf
    """Whom a request counts against."""
    limit_of_site: Limit | None = None
    hashes_password: bool = False
    reads_body: bool = False
    """Whom it counts against is said in the body."""


class RouteRules:
    """Finds the rule of a request as the router finds its route: the first that matches.

    Args:
        key_of: for each `By`, the key that a request counts under.

    Raises:
        ValueError: a rate can't be read, or names a setting that there is not.
    """

    def __init__(
        self, routes: Iterable[BaseRoute], settings: Settings, key_of: Mapping[str, KeyOf]
    ) -> None:
        self._settings = settings
        self._key_of = key_of
        self._general = self._rule(Policy(), GENERAL)
        self._by_path: dict[tuple[str, str], Rule] = {}
        self._by_pattern: list[tuple[set[str], re.Pattern[str], Rule]] = []
        for route in iter_route_contexts(list(routes)):
            if route.path is not None and route.methods:
                self._add(route.endpoint, route.path, route.methods)

    def find(self, scope: Scope) -> Rule:
        # As the router reads it: its patterns end in `$`, which matches before a line break too.
        path = route_path(scope).removesuffix("\n")
        request = (scope["method"], path)
        return self._by_path.get(request) or self._match(*request) or self._general

    def _match(self, method: str, path: str) -> Rule | None:
        for methods, pattern, rule in self._by_pattern:
            if method in methods and pattern.match(path):
                return rule
        return None

    def _add(self, endpoint: object, path: str, methods: set[str]) -> None:
        rule = self._rule(policy_of(endpoint), f"{'|'.join(sorted(methods))} {path}")
        answered = methods | {"HEAD"} if "GET" in methods else methods
        pattern, _, parameters = compile_path(path)
        if parameters:
            self._by_pattern.append((answered, pattern, rule))
            return
        for method in answered:  # unless an earlier pattern matches this path, and answers
            self._by_path.setdefault((method, path), self._match(method, path) or rule)

    def _rule(self, policy: Policy | None, name: str) -> Rule:
        if policy is None:
            return self._general
        if policy.unlimited:
            return Rule(None, self._key_of[policy.by], hashes_password=policy.hashes_password)
        scope, rate = (name, policy.rate) if policy.rate is not None else _GENERAL_RATE
        try:
            rate, key_of = self._rate(rate), self._key_of[policy.by]
            limit, of_site = new_limit(scope, rate), new_limit(scope, rate, times=SITE_FACTOR)
        except (ValueError, KeyError) as error:
            raise ValueError(f"The limit of {name}: {error}") from None
        reads_body = policy.by == "refresh_token"
        return Rule(limit, key_of, of_site, policy.hashes_password, reads_body)

    def _rate(self, rate: str) -> str:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", rate):
            return rate
        if rate.lower() not in type(self._settings).model_fields:
            raise ValueError(f"there is no setting {rate}")
        return str(getattr(self._settings, rate.lower()))


def check_declarations(module: ModuleType, routes: Iterable[BaseRoute]) -> None:
    """
    Raises:
        ValueError: a function declares something about its limit, and answers no request.
    """
    served = {route.endpoint for route in iter_route_contexts(list(routes))}
    for name, value in vars(module).items():
        declares = policy_of(value) is not None and value.__module__ == module.__name__
        if declares and value not in served:
            raise ValueError(f"{module.__name__}.{name} declares a limit, but is no route.")
