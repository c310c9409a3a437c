"""Operators list, export and delete users; each seen by the command beside it."""

import pytest

from tests.manage.conftest import Manage


@pytest.fixture
def three(manage: Manage) -> None:
    manage("user", "create", "ada@example.com", "--name", "Ada 100%", "--role", "admin")
    manage("user", "create", "bob@example.com", "--name", "Bob")
    manage("user", "create", "eve@example.org")
    manage("user", "deactivate", "eve@example.org")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--search", "EXAMPLE.com"], ["ada", "bob"]),
        (["--search", "100%"], ["ada"]),
        (["--search", "_da"], []),
        (["--role", "user"], ["bob", "eve"]),
        (["--no-active"], ["eve"]),
        (["--active", "--role", "user", "--search", "b"], ["bob"]),
    ],
)
def test_a_list_can_be_narrowed(manage: Manage, options: list[str], found: list[str]) -> None:
    page = manage("user", "list", *options).data

    assert [user["email"].partition("@")[0] for user in page["users"]] == found
    assert page["total"] == len(found)


@pytest.mark.usefixtures("three")
def test_a_user_is_exported_and_deleted(manage: Manage) -> None:
    exported = manage("user", "export", "bob@example.com").data
    assert [user["name"] for user in exported["users"]] == ["Bob"]

    assert manage("user", "delete", "bob@example.com").data["deleted"] == "bob@example.com"

    assert manage("user", "show", "bob@example.com").exit_code == 1
    assert manage("user", "list").data["total"] == 2


@pytest.mark.usefixtures("three")
def test_what_happened_to_a_deleted_user_is_found_by_the_address(manage: Manage) -> None:
    manage("user", "delete", "bob@example.com")
    manage("user", "create", "bob@example.com")

    events = manage("user", "events", "bob@example.com").data["events"]

    assert [event["event"] for event in events] == [
        *("auth.user_created", "auth.user_deleted", "auth.user_created")
    ]
    assert events[1]["actor"].startswith("operator ")


@pytest.mark.usefixtures("three")
def test_the_last_admin_stays(manage: Manage) -> None:
    outcome = manage("user", "delete", "ada@example.com")

    assert outcome.exit_code == 1
    assert outcome.err.startswith("error: ada@example.com: this is the last admin")
    assert manage("user", "show", "ada@example.com").data["role"] == "admin"
