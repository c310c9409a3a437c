"""Two documents: which changes break clients, by oasdiff's rules; each rule in both directions."""

from copy import deepcopy
from typing import Any

import pytest

from authkit.contract.compare import compare

Document = dict[str, Any]

NOTE = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 100},
        "kind": {"type": "string", "enum": ["plain", "rich"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["text"],
    "additionalProperties": False,
}


def containing_itself(name: str) -> Document:
    schema: Document = deepcopy(NOTE)
    schema["properties"]["parent"] = {"$ref": f"#/components/schemas/{name}"}
    return schema


def document() -> Document:
    """One endpoint that takes a note and answers one; a schema that contains itself."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "api", "version": "1"},
        "paths": {
            "/notes": {
                "post": {
                    "operationId": "writeNote",
                    "security": [{"bearer": []}, {}],
                    "parameters": [
                        {"name": "draft", "in": "query", "schema": {"type": "boolean"}},
                    ],
                    "requestBody": {"content": content("Note")},
                    "responses": {
                        "201": {
                            "content": content("Answer"),
                            "headers": {"Location": {"required": True}},
                        },
                        "409": {"description": "There is one."},
                    },
                },
            },
        },
        "components": {"schemas": {name: containing_itself(name) for name in ("Note", "Answer")}},
    }


def content(schema: str) -> Document:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def changed(path: str, value: Any) -> Document:
    """The document with one place set, or taken out when the value is `...`."""
    made = document()
    *way, last = path.split(".")
    place: Any = {"op": made["paths"]["/notes"]["post"], **made["components"]["schemas"]}
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if value is ...:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return made


STRING = {"type": "string"}
NULLABLE = {"anyOf": [{"type": "string", "maxLength": 100}, {"type": "null"}]}

ONE_WAY = [
    # what changes, and whether it breaks clients this way and when it is taken back
    ("op.operationId", "addNote", True, True),
    ("op.security", [{"bearer": []}], True, False),
    ("op.parameters.0.required", True, True, False),
    ("op.parameters", [], True, False),
    ("op.parameters.0.schema", STRING, True, True),
    ("op.requestBody.required", True, True, False),
    ("op.requestBody.content", {"text/plain": {}}, True, True),
    ("op.responses.201", ..., True, True),
    ("op.responses.409", ..., False, False),
    ("op.responses.201.headers.Location.required", False, True, False),
    ("Note.properties.text", ..., True, True),
    ("Note.properties.tags", ..., True, False),
    ("Note.properties.title", STRING, False, True),
    ("Note.required", ["text", "kind"], True, False),
    ("Note.properties.text.maxLength", 50, True, False),
    ("Note.properties.text.maxLength", ..., False, True),
    ("Note.properties.text.minLength", 2, True, False),
    ("Note.properties.text.pattern", "^a", True, False),
    ("Note.properties.text.format", "email", True, False),
    ("Note.properties.text", {"type": "integer"}, True, True),
    ("Note.properties.text", NULLABLE, False, True),
    ("Note.properties.kind.enum", ["plain"], True, False),
    ("Note.properties.kind", STRING, False, True),
    ("Note.properties.tags.items.maxLength", 5, True, False),
    ("Note.properties.text.multipleOf", 2, True, False),
    ("Note.properties.tags.uniqueItems", True, True, False),
    ("Note.properties.tags.items", ..., True, True),
    ("Note.additionalProperties", True, False, True),
    ("Note.additionalProperties", STRING, False, True),
    ("Answer.properties.text", ..., True, False),
    ("Answer.properties.title", STRING, False, True),
    ("Answer.required", [], True, False),
    ("Answer.properties.text.maxLength", 50, False, True),
    ("Answer.properties.text", {"type": "integer"}, True, True),
    ("Answer.properties.text", NULLABLE, True, False),
    ("Answer.properties.kind.enum", ["plain", "rich", "wild"], True, False),
    ("Answer.properties.kind", STRING, True, False),
    ("Answer.properties.tags.items.maxLength", 5, False, True),
    ("Answer.properties.tags.items", ..., True, True),
]


@pytest.mark.parametrize(("path", "value", "there", "back"), ONE_WAY)
def test_a_change_breaks_clients_or_does_not(
    path: str, value: Any, there: bool, back: bool
) -> None:
    made = changed(path, value)

    for old, new, breaks in ((document(), made, there), (made, document(), back)):
        found = compare(old, new)
        assert found, "every change is seen"
        assert any(change.is_breaking for change in found) == breaks, found


def test_a_new_required_input_is_named_with_its_rule() -> None:
    made = changed("Note.properties.title", STRING)
    made["components"]["schemas"]["Note"]["required"].append("title")

    [found] = [change for change in compare(document(), made) if change.is_breaking]

    assert found.rule == "new-required-request-property"
    assert found.where == "POST /notes, input title"


def test_a_removed_endpoint_breaks_and_a_new_one_does_not() -> None:
    without = document()
    del without["paths"]["/notes"]

    assert [change.rule for change in compare(document(), without)] == ["api-removed"]
    assert [change.is_breaking for change in compare(without, document())] == [False]


def test_where_unknown_fields_are_ignored_one_less_breaks_nobody() -> None:
    old, new = changed("Note.additionalProperties", True), changed("Note.properties.tags", ...)
    new["components"]["schemas"]["Note"]["additionalProperties"] = True

    assert not any(change.is_breaking for change in compare(old, new))


def test_a_deployment_s_name_and_address_are_no_change() -> None:
    other = document() | {"info": {"title": "other", "version": "2"}, "servers": [{"url": "/v2"}]}

    assert compare(document(), other) == []


def test_texts_are_a_change_that_breaks_nobody() -> None:
    [found] = compare(document(), changed("Note.description", "A note."))

    assert not found.is_breaking


def test_security_of_the_whole_document_counts() -> None:
    old = changed("op.security", ...)

    assert any(change.is_breaking for change in compare(old, old | {"security": [{"bearer": []}]}))
