"""Two schemas of one place: does what was sent still fit, is what comes back still what it was?

In a request a client breaks when less is taken than before; in an answer, when more can come.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from authkit.contract.change import Change, breaking, other

Direction = Literal["request", "response"]
Schema = dict[str, Any]

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


@dataclass(frozen=True)
class Side:
    """A document, whose schemas refer to each other."""

    document: dict[str, Any]

    def resolve(self, part: Any) -> Any:
        """What a `$ref` leads to; what stands beside it, as OpenAPI 3.1 allows, is kept."""
        while isinstance(part, dict) and "$ref" in part:
            target: Any = self.document
            for step in part["$ref"].removeprefix("#/").split("/"):
                target = target.get(step.replace("~1", "/").replace("~0", "~"), {})
            part = {**target, **{name: value for name, value in part.items() if name != "$ref"}}
        return part

    def variants(self, schema: Any) -> tuple[list[Schema], bool]:
        """The kinds of value without null, and whether null is one."""
        schema = self.resolve(schema)
        if not isinstance(schema, dict):
            return [{}], True
        choice = schema.get("anyOf") or schema.get("oneOf")
        if choice:
            found = [self.variants(part) for part in choice]
            return [part for parts, _ in found for part in parts], any(null for _, null in found)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            rest = [{**schema, "type": kind} for kind in kinds if kind != "null"]
            return rest, "null" in kinds
        return ([], True) if kinds == "null" else ([schema], False)


class Comparison:
    """Of the schemas of one place and all below it."""

    def __init__(self, old: Side, new: Side, direction: Direction, where: str) -> None:
        self.old, self.new, self.direction, self.where = old, new, direction, where
        self._seen = set[tuple[str, str]]()

    def compare(self, old: Any, new: Any, field: str = "") -> Iterator[Change]:
        if self._met(old, new):
            return
        before, was_null = self.old.variants(old)
        after, is_null = self.new.variants(new)
        if was_null != is_null:
            rule = "became-nullable" if is_null else "became-not-nullable"
            yield self._widened(rule, field, "null", more=is_null)
        if len(before) != len(after):
            yield self._changed(
                "any-of-changed", field, "other kinds of value", more=len(after) > len(before)
            )
            return
        for one, another in zip(before, after, strict=True):
            yield from self._values(one, another, field)

    def _met(self, old: Any, new: Any) -> bool:
        """Whether this pair is being compared already: schemas may contain themselves."""
        pair = (str(old), str(new))
        if "$ref" not in pair[0] or pair in self._seen:
            return pair in self._seen
        self._seen.add(pair)
        return False

    def _values(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        if old.get("type") != new.get("type") and not self._takes_integers_too(old, new):
            what = f"was {old.get('type', 'anything')}, is {new.get('type', 'anything')}"
            yield breaking(f"{self.direction}-property-type-changed", self._at(field), what)
            return
        yield from self._enumeration(old, new, field)
        yield from self._bounds(old, new, field)
        for name in ("format", "pattern", "const", "multipleOf", "uniqueItems"):
            yield from self._keyword(name, old.get(name), new.get(name), field)
        yield from self._properties(old, new, field)
        if "items" in old or "items" in new:
            yield from self.compare(old.get("items", {}), new.get("items", {}), f"{field}[]")
        yield from self._others(old, new, field)

    def _others(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        """Of properties without a name of their own: whether there may be any, and of what kind."""
        before, after = others(old), others(new)
        if (before is False) != (after is False):
            yield self._widened(
                "additional-properties", field, "another property", more=before is False
            )
        elif before or after:
            yield from self.compare(before, after, f"{field}.*")

    def _takes_integers_too(self, old: Schema, new: Schema) -> bool:
        kinds = (old.get("type"), new.get("type"))
        return kinds == (
            ("integer", "number") if self.direction == "request" else ("number", "integer")
        )

    def _enumeration(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        before, after = old.get("enum"), new.get("enum")
        if before is None and after is None:
            return
        if before is None or after is None:
            yield self._widened("enum-restriction", field, "any value", more=after is None)
            return
        for value in [value for value in before if value not in after]:
            yield self._widened("enum-value-removed", field, repr(value), more=False)
        for value in [value for value in after if value not in before]:
            yield self._widened("enum-value-added", field, repr(value), more=True)

    def _bounds(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        for name in (*LOWER, *UPPER):
            before, after = old.get(name), new.get(name)
            if before == after:
                continue
            is_wider = after is None or (before is not None and (after < before) == (name in LOWER))
            what = f"{name} was {none(before)}, is {none(after)}"
            yield self._changed(f"{name}-changed", field, what, more=is_wider)

    def _keyword(self, name: str, before: Any, after: Any, field: str) -> Iterator[Change]:
        if before != after:
            is_wider = after is None
            what = f"{name} was {none(before)}, is {none(after)}"
            is_other = before is not None and after is not None
            if is_other:
                yield breaking(f"{self.direction}-property-{name}-changed", self._at(field), what)
            else:
                yield self._changed(f"{name}-changed", field, what, more=is_wider)

    def _properties(self, old: Schema, new: Schema, field: str) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(before.keys() - after.keys()):
            yield self._removed(name, f"{field}.{name}", new, name in needed)
        for name in sorted(after.keys() - before.keys()):
            yield self._added(f"{field}.{name}", name in needs)
        for name in sorted(before.keys() & after.keys()):
            at = f"{field}.{name}"
            if (name in needed) != (name in needs):
                yield self._required(at, name in needs)
            yield from self.compare(before[name], after[name], at)

    def _removed(self, name: str, at: str, new: Schema, was_required: bool) -> Change:
        rule = f"{self.direction}-property-removed"
        if self.direction == "request" and new.get("additionalProperties") is not False:
            return other(rule, self._at(at), "removed; what is sent is ignored")
        return breaking(rule, self._at(at), "removed")

    def _added(self, at: str, is_required: bool) -> Change:
        if self.direction == "response":
            return other("response-property-added", self._at(at), "added")
        if is_required:
            return breaking("new-required-request-property", self._at(at), "added, and required")
        return other("new-optional-request-property", self._at(at), "added")

    def _required(self, at: str, is_required: bool) -> Change:
        kind = "required" if is_required else "optional"
        breaks = is_required == (self.direction == "request")
        make = breaking if breaks else other
        return make(f"{self.direction}-property-became-{kind}", self._at(at), f"became {kind}")

    def _widened(self, rule: str, field: str, value: str, *, more: bool) -> Change:
        verb = "is possible now" if more else "is not possible any more"
        return self._changed(rule, field, f"{value} {verb}", more=more)

    def _changed(self, rule: str, field: str, what: str, *, more: bool) -> Change:
        """More in a request is welcome, in an answer a surprise; less is the other way round."""
        make = breaking if more == (self.direction == "response") else other
        return make(f"{self.direction}-property-{rule}", self._at(field), what)

    def _at(self, field: str) -> str:
        place = {"request": "input", "response": "answer"}[self.direction]
        return f"{self.where}, {place}{' ' + field.lstrip('.') if field else ''}"


def others(schema: Schema) -> Any:
    """What other properties may be; False when there are none."""
    allowed = schema.get("additionalProperties", True)
    return {} if allowed is True else allowed


def none(value: Any) -> str:
    return "none" if value is None else repr(value)
