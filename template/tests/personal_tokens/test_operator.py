"""`app.manage token`: what operators do with personal tokens."""

from tests.manage.conftest import Manage, manage, project  # noqa: F401 - fixtures


def test_a_user_who_is_deactivated_gets_no_token(manage: Manage) -> None:  # noqa: F811
    """It would begin to work on the day on which the user is activated again."""
    manage("user", "create", "ada@example.com")
    manage("user", "deactivate", "ada@example.com")

    outcome = manage("token", "create", "ada@example.com")

    assert outcome.exit_code == 1
    assert "ada@example.com is deactivated" in outcome.err
    manage("user", "activate", "ada@example.com")
    assert manage("token", "list", "ada@example.com").data["tokens"] == []
