"""`authkit token issue`: a token that can be put into a header as it is printed."""

import pytest
from tests.conftest import FakeProject

TOKEN = "header.payload.signature"


@pytest.fixture
def issuing(fake: FakeProject) -> FakeProject:
    fake.answer(
        "manage token issue",
        {
            "accessToken": TOKEN,
            "expiresAt": "2026-01-31T12:15:00.250000Z",
            "email": "ada@example.com",
            "sessionId": "22222222-2222-4222-8222-222222222222",
        },
    )
    return fake


def test_the_token_is_alone_on_standard_output(issuing: FakeProject) -> None:
    result = issuing.run("token", "issue", "ada@example.com", env={"TZ": "Asia/Kolkata"})

    assert (result.code, result.out) == (0, f"{TOKEN}\n")
    assert result.err == "for ada@example.com, until 2026-01-31 17:45:00 +0530\n"


def test_json_is_the_project_s_answer(issuing: FakeProject) -> None:
    result = issuing.run("token", "issue", "ada@example.com", "--json")

    assert result.json["accessToken"] == TOKEN
    assert result.err == ""


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("15 min", 900), ("2h", 7_200), ("7d", 604_800)],
)
def test_a_time_to_live_is_written_as_people_write_it(
    ttl: str, seconds: int, issuing: FakeProject
) -> None:
    assert issuing.run("token", "issue", "ada@example.com", "--ttl", ttl).code == 0

    expected = ["token", "issue", "--ttl", str(seconds), "--json", "--", "ada@example.com"]
    assert issuing.calls[-1]["args"] == expected


def test_without_a_time_to_live_the_project_decides(issuing: FakeProject) -> None:
    issuing.run("token", "issue", "ada@example.com")

    assert issuing.calls[-1]["args"] == ["token", "issue", "--json", "--", "ada@example.com"]


@pytest.mark.parametrize(
    "ttl", ["", "0", "0m", "-5m", "soon", "1.5h", "5y", "15 m 3 s", "٣m", "9" * 30, "9999d"]
)
def test_a_time_to_live_that_makes_no_sense_is_refused(ttl: str, issuing: FakeProject) -> None:
    result = issuing.run("token", "issue", "ada@example.com", "--ttl", ttl)

    assert result.code == 2
    assert "length of time" in result.err
    assert issuing.calls == []


def test_an_unknown_user_is_the_project_s_error(fake: FakeProject) -> None:
    fake.answer(
        "manage token issue",
        err="error: there is no user eve@example.com\nhint: authkit user list\n",
        code=1,
    )

    result = fake.run("token", "issue", "eve@example.com")

    assert (result.code, result.out) == (1, "")
    assert result.err == "error: there is no user eve@example.com\nhint: authkit user list\n"
