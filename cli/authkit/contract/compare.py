"""Two documents: every operation with its parameters, its body, its answers and who may call it."""

from collections.abc import Iterator
from typing import Any

from authkit.contract.change import Change, breaking, contract_of, other
from authkit.contract.schemas import Comparison, Side

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Operation = dict[str, Any]


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Every change that a client could meet, the breaking ones first."""
    before, after = dict(operations(old)), dict(operations(new))
    sides = Side(old), Side(new)
    found = [
        *(breaking("api-removed", name, "removed") for name in before.keys() - after.keys()),
        *(other("endpoint-added", name, "added") for name in after.keys() - before.keys()),
        *(
            change
            for name in before.keys() & after.keys()
            for change in compare_operation(name, before[name], after[name], sides)
        ),
    ]
    if not found and contract_of(old) != contract_of(new):
        found = [other("document-changed", "the document", "its texts or examples changed")]
    return sorted(
        set(found),
        key=lambda change: (not change.is_breaking, change.where, change.rule, change.what),
    )


def operations(document: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    """By `POST /path`, each with what its path and the document say for all."""
    security = document.get("security", [])
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                shared = item.get("parameters", [])
                own = item[method].get("parameters", [])
                operation = {"security": security, **item[method], "parameters": [*shared, *own]}
                yield f"{method.upper()} {path}", operation


def compare_operation(
    name: str, old: Operation, new: Operation, sides: tuple[Side, Side]
) -> Iterator[Change]:
    if old.get("operationId") != new.get("operationId"):
        what = f"operationId was {old.get('operationId')}, is {new.get('operationId')}"
        yield breaking("api-operation-id-removed", name, what)
    yield from compare_security(name, old, new)
    yield from compare_parameters(name, old, new, sides)
    yield from compare_bodies(name, old, new, sides)
    yield from compare_answers(name, old, new, sides)


def compare_security(name: str, old: Operation, new: Operation) -> Iterator[Change]:
    """Each of the alternatives that sufficed must still suffice."""
    before, after = old.get("security") or [{}], new.get("security") or [{}]
    for lost in [way for way in before if way not in after and {} not in after]:
        what = f"{' and '.join(lost) or 'nothing'} does not suffice any more"
        yield breaking("api-security-changed", name, what)
    for way in [way for way in after if way not in before]:
        yield other("api-security-added", name, f"{' and '.join(way) or 'nothing'} suffices")


def compare_parameters(
    name: str, old: Operation, new: Operation, sides: tuple[Side, Side]
) -> Iterator[Change]:
    before, after = (parameters(op, side) for op, side in zip((old, new), sides, strict=True))
    for key in sorted(before.keys() - after.keys()):
        yield breaking("request-parameter-removed", name, f"{' '.join(key)} was removed")
    for key in sorted(after.keys() - before.keys()):
        make = breaking if after[key].get("required") else other
        yield make("new-request-parameter", name, f"{' '.join(key)} was added")
    for key in sorted(before.keys() & after.keys()):
        if after[key].get("required") and not before[key].get("required"):
            yield breaking(
                "request-parameter-became-required", name, f"{' '.join(key)} is required"
            )
        at = f"{name}, {' '.join(key)}"
        schemas = before[key].get("schema", {}), after[key].get("schema", {})
        yield from Comparison(*sides, "request", at).compare(*schemas)


def parameters(operation: Operation, side: Side) -> dict[tuple[str, str], Any]:
    resolved = [side.resolve(part) for part in operation["parameters"]]
    return {(part["in"], part["name"]): part for part in resolved}


def compare_bodies(
    name: str, old: Operation, new: Operation, sides: tuple[Side, Side]
) -> Iterator[Change]:
    before, after = (
        side.resolve(op.get("requestBody", {})) for op, side in zip((old, new), sides, strict=True)
    )
    if after.get("required") and not before.get("required"):
        yield breaking("request-body-became-required", name, "a body is required")
    yield from compare_contents(name, "request", before, after, sides)


def compare_answers(
    name: str, old: Operation, new: Operation, sides: tuple[Side, Side]
) -> Iterator[Change]:
    before, after = (
        {code: side.resolve(part) for code, part in op.get("responses", {}).items()}
        for op, side in zip((old, new), sides, strict=True)
    )
    for code in sorted(before.keys() - after.keys()):
        make = breaking if code.startswith("2") else other
        yield make("response-status-removed", name, f"{code} is not answered any more")
    for code in sorted(after.keys() - before.keys()):
        make = breaking if code.startswith("2") else other
        yield make("response-status-added", name, f"{code} is documented")
    for code in sorted(before.keys() & after.keys()):
        at = f"{name}, {code}"
        yield from compare_contents(at, "response", before[code], after[code], sides)
        yield from compare_headers(at, before[code], after[code])


def compare_contents(
    at: str, direction: Any, old: Operation, new: Operation, sides: tuple[Side, Side]
) -> Iterator[Change]:
    before, after = old.get("content", {}), new.get("content", {})
    for kind in sorted(before.keys() - after.keys()):
        yield breaking(f"{direction}-media-type-removed", at, f"{kind} was removed")
    for kind in sorted(before.keys() & after.keys()):
        schemas = before[kind].get("schema", {}), after[kind].get("schema", {})
        yield from Comparison(*sides, direction, at).compare(*schemas)


def compare_headers(at: str, old: Operation, new: Operation) -> Iterator[Change]:
    before, after = old.get("headers", {}), new.get("headers", {})
    for name in sorted(before):
        if before[name].get("required") and not after.get(name, {}).get("required"):
            yield breaking("required-response-header-removed", at, f"{name} may be missing")
