"""Whatever bytes arrive as a token: an answer, never a traceback, nothing raw to the terminal."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.token_cases import (
    AT,
    GOOD,
    SECRET,
    Answer,
    claims,
    encode,
    header,
    make_project,
    run,
    signed,
)

settings.register_profile(
    "token", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
hostile = settings.get_profile("token")

TEXT = st.text(st.characters(), max_size=30)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 2**63, 10**12])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
CLAIM_NAMES = st.sampled_from(["iss", "aud", "sub", "sid", "jti", "iat", "exp", "nbf", "x"])
HEADER_NAMES = st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "jku", "x5c", "zip", "b64"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("hostile") / "myapi")


def decode(project: Path, data: bytes, *args: str) -> Answer:
    answer = run(
        "token", "decode", "--at", str(AT), *args, directory=project, stdin=data, SECRET=SECRET
    )
    assert answer.code in {0, 2, 5}
    assert "Traceback" not in answer.err
    shown = set(answer.out + answer.err) - {"\n"}
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return answer


def with_json(project: Path, data: bytes, *args: str) -> None:
    """As text, as JSON that any parser takes, and without verifying."""
    text = decode(project, data, *args)
    answer = decode(project, data, "--json", *args)
    assert answer.code == text.code

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    report = json.loads(answer.out, parse_constant=refuse)
    assert report["verdict"] in {"VERIFIED", "UNVERIFIED", "INVALID", "MALFORMED"}
    assert (answer.code == 2) == (report["verdict"] == "MALFORMED")
    assert decode(project, data, "--no-verify", *args).code in {0, 2}


@hostile
@given(data=st.binary(max_size=400))
def test_any_bytes(project: Path, data: bytes) -> None:
    with_json(project, data)


@hostile
@given(parts=st.lists(st.binary(max_size=60), min_size=1, max_size=6))
def test_any_bytes_in_base64url(project: Path, parts: list[bytes]) -> None:
    with_json(project, ".".join(encode(part) for part in parts).encode())


@hostile
@given(
    head=st.dictionaries(HEADER_NAMES | TEXT, JSON_VALUES, max_size=5),
    body=st.dictionaries(CLAIM_NAMES | TEXT, JSON_VALUES, max_size=6),
)
def test_any_json_with_a_right_signature(
    project: Path, head: dict[str, Any], body: dict[str, Any]
) -> None:
    token = signed(header(**{"alg": "HS256"} | head), claims() | body).encode()
    with_json(project, token)
    with_json(project, token, "--key", "env:SECRET")


@hostile
@given(position=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_a_token_with_one_byte_changed_is_never_verified(
    project: Path, position: int, byte: int
) -> None:
    data = bytearray(GOOD.encode())
    if data[position] == byte or chr(byte).isspace():
        return
    # What surrounds a token may be anything that is stripped; the token itself may not change.
    if position in {0, len(GOOD) - 1} and chr(byte) in "\"'`,;":
        return
    data[position] = byte
    assert decode(project, bytes(data)).code in {2, 5}


@pytest.mark.parametrize("cut", range(1, len(GOOD), 7))
def test_a_token_cut_anywhere_is_never_verified(cut: int, project: Path) -> None:
    assert decode(project, GOOD[:-cut].encode()).code in {2, 5}


@pytest.mark.parametrize(
    "token",
    [
        "." * 100_000,
        "Bearer " * 100_000,
        "\n" * 1_000_000,
        " x" * 500_000,
        encode(b"[" * 100_000) + ".e30.AA",
        encode(b'{"a":' * 50_000) + ".e30.AA",
        "e30." + encode(b'{"exp":' + b"9" * 500_000 + b"}") + ".AA",
        "e30." + encode(b"{" + b'"a":1,' * 50_000 + b'"a":1}') + ".AA",
        "e30."
        + encode(json.dumps({"k" * 100_000: [{"n": n} for n in range(5_000)]}).encode())
        + ".",
        "e30." + encode(json.dumps({str(n): n for n in range(50_000)}).encode()) + ".AA",
        "e30.e30." + "A" * 900_000,
        "e30.e30." + "=" * 900_000,
        "e30=." + "=" * 900_000 + ".AA",
    ],
    ids=range(13),
)
def test_a_token_made_to_exhaust_its_reader(token: str, project: Path) -> None:
    with_json(project, token.encode())
