"""`authkit token` with a real project: what is issued is verified, and ends when it is ended."""

from pathlib import Path

from tests.conftest import authkit


def test_an_issued_token_is_verified_until_its_session_is_ended(myapi: Path) -> None:
    email = "token-holder@example.com"
    assert authkit("user", "create", email, cwd=myapi).code == 0
    issued = authkit("token", "issue", email, "--ttl", "10m", cwd=myapi)
    assert (issued.code, issued.out.count(".")) == (0, 2)

    judged = authkit("token", "decode", "--online", "--json", cwd=myapi, stdin=issued.out)
    assert (judged.code, judged.json["verdict"]) == (0, "VERIFIED")
    assert judged.json["user"]["email"] == email
    assert judged.json["claims"]["exp"] - judged.json["claims"]["iat"] == 600

    assert authkit("user", "revoke", email, cwd=myapi).code == 0
    ended = authkit("token", "decode", "--online", "--json", cwd=myapi, stdin=issued.out)
    assert (ended.code, ended.json["verdict"]) == (5, "INVALID")
    assert [reason["code"] for reason in ended.json["reasons"]] == ["session-revoked"]


def test_a_token_outlives_a_rotation_but_not_the_removal_of_its_key(myapi: Path) -> None:
    email = "key-holder@example.com"
    assert authkit("user", "create", email, cwd=myapi).code == 0
    token = authkit("token", "issue", email, cwd=myapi).out
    kid = authkit("token", "decode", "--json", cwd=myapi, stdin=token).json["keyId"]

    assert authkit("keys", "rotate", cwd=myapi).code == 0
    rotated = authkit("token", "decode", "--json", cwd=myapi, stdin=token)
    assert (rotated.code, rotated.json["key"]) == (0, "JWT_PREVIOUS_SECRETS")

    assert authkit("keys", "remove", kid, cwd=myapi).code == 0
    removed = authkit("token", "decode", "--json", cwd=myapi, stdin=token)
    assert removed.code == 5
    assert [reason["code"] for reason in removed.json["reasons"]] == ["kid-retired"]
