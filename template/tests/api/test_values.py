"""The kinds of values that resources hold: what is kept, and what is refused before a database."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter
from pydantic import TypeAdapter

from app.api.schemas import Input, Output, Timestamp
from app.api.schemas.values import (
    LEFT_OUT,
    BigInteger,
    Date,
    DecimalText,
    Identifier,
    Integer,
    Json,
    Moment,
)
from app.application import create_app
from app.config import Settings
from app.foundation.http.entity_tags import Seen, entity_tag
from app.foundation.http.exact_numbers import ExactNumbersRoute
from tests.helpers import NOBODY, connect, error_code

router = APIRouter(prefix="/things", route_class=ExactNumbersRoute)


class ThingInput(Input):
    count: Integer = LEFT_OUT
    big: BigInteger = LEFT_OUT
    day: Date = LEFT_OUT
    moment: Moment = LEFT_OUT
    id: Identifier = LEFT_OUT
    price: Annotated[Decimal, DecimalText(5, 2)] = LEFT_OUT
    share: Annotated[Decimal, DecimalText(2, 2)] = LEFT_OUT
    pieces: Annotated[Decimal, DecimalText(18, 0)] = LEFT_OUT
    data: Json = LEFT_OUT


class ThingInfo(Output):
    moment: Timestamp | None = None
    price: Annotated[Decimal, DecimalText(5, 2)] | None = None
    data: Any = None


@router.post("")
async def _(body: ThingInput) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude_unset=True)


@router.post("/info")
async def _shown(body: ThingInput) -> ThingInfo:
    return ThingInfo(**body.model_dump(exclude_unset=True))


@router.get("/seen")
async def _seen(seen: Seen) -> list[int] | None:
    return seen if seen is None else sorted(seen)


@pytest.fixture
def things(make_settings: Callable[..., Settings]) -> httpx.AsyncClient:
    app = create_app(make_settings(redis_url=""))  # it is never stopped
    app.include_router(router)
    return connect(app)


async def post(things: httpx.AsyncClient, json: str, path: str = "/things") -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return await things.post(path, content=json, headers=headers)


@pytest.mark.parametrize(
    "json",
    [
        '{"count":-2147483648}',
        '{"big":9223372036854775807}',
        '{"count":1.0}',
        '{"day":"0001-01-01"}',
        f'{{"id":"{NOBODY}"}}',
        '{"price":"-999.99"}',
        '{"share":"0.99"}',
        '{"pieces":"999999999999999999"}',
        '{"data":{"a":[1,0.1,1e-7,123456789012345678901234567890,null,"\\u00e9",true]}}',
    ],
)
async def test_keeps_what_was_sent_to_the_last_digit(json: str, things: httpx.AsyncClient) -> None:
    answer = await post(things, json)

    assert answer.status_code == 200, answer.text
    assert answer.json() == httpx.Response(200, text=json).json()


@pytest.mark.parametrize(
    "json",
    [
        *('{"count":2147483648}', '{"count":1.5}', '{"count":true}', '{"count":NaN}'),
        *(
            '{"big":9223372036854775808}',
            '{"big":9007199254740993.0}',
            '{"big":9007199254740994.0}',
            '{"big":"1"}',
            '{"big":null}',
        ),
        *('{"day":"2023-02-29"}', '{"day":0}', '{"day":"2026-11-28T00:00:00"}'),
        *('{"moment":"2026-11-28T09:30:00"}', '{"moment":0}', '{"moment":"2026-11-28"}'),
        *('{"moment":"0001-01-01T00:00:00+01:00"}', '{"moment":"9999-12-31T23:59:59-01:00"}'),
        *('{"id":"x"}', '{"id":1}', '{"price":1.5}', '{"price":1}', '{"price":"NaN"}'),
        *('{"price":"1000"}', '{"price":"1.005"}', '{"price":"1e1"}', '{"price":"01"}'),
        *('{"price":" 1"}', '{"price":"1\\n"}', '{"price":"\\u0661"}', '{"share":"1.00"}'),
        *('{"pieces":"1.0"}', '{"data":null}', '{"data":NaN}', '{"data":[-Infinity]}'),
        *('{"data":1e400}', '{"data":0.12345678901234567890}', '{"data":"a\\u0000"}'),
        *('{"data":{"\\u0000":1}}', '{"data":["\\ud800"]}', '{"data":9007199254740993.0}'),
        '{"data":' + "[" * 18 + "]" * 18 + "}",
        '{"data":"' + "x" * 16_384 + '"}',
    ],
)
async def test_refuses_what_would_come_back_as_something_else(
    json: str, things: httpx.AsyncClient
) -> None:
    assert error_code(await post(things, json)) == "validation_failed"


async def test_shows_decimals_as_text_and_moments_in_utc(things: httpx.AsyncClient) -> None:
    sent = '{"price": "-0", "moment": "2026-11-28T09:30:00+05:30", "data": [2.50]}'

    answer = await post(things, sent, "/things/info")

    assert answer.json() == {
        "price": "0.00",
        "moment": "2026-11-28T04:00:00.000000Z",
        "data": [2.5],
    }


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ([], None),
        (["*"], None),
        (['"1"'], [1]),
        (['"1", "22"', '"3"'], [1, 3, 22]),
        (['W/"1"'], []),
        (['"01"', '"0"', '"-1"', '"1 "', "1", "", '"9999999999"'], []),
    ],
)
async def test_reads_if_match(
    lines: list[str], seen: list[int] | None, things: httpx.AsyncClient
) -> None:
    headers = [("If-Match", line) for line in lines]

    assert (await things.get("/things/seen", headers=headers)).json() == seen


def test_an_entity_tag_is_quoted() -> None:
    assert entity_tag(7) == '"7"'


def test_an_array_says_what_it_holds() -> None:
    """Linters and generators ask for `items` wherever a schema may be an array."""
    assert TypeAdapter(Json).json_schema()["items"] == {}
