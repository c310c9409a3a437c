"""The mails: whose they are, and who they say that they come from."""

import httpx
from fastapi import FastAPI

from tests.helpers import (
    OTHER_PASSWORD,
    PASSWORD,
    Account,
    Mailbox,
    request_reset,
    reset_password,
    services_of,
)


async def test_every_mail_names_the_application(
    app: FastAPI, client: httpx.AsyncClient, ada: Account, mailbox: Mailbox
) -> None:
    change = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}
    await client.post("/api/users/me/change-password", json=change, headers=ada.headers)
    moved = {"email": "countess@example.com"}
    await client.patch("/api/users/me", json=moved, headers=ada.headers)
    token = await request_reset(client, mailbox, moved["email"])
    assert (await reset_password(client, token)).status_code == 200

    name = services_of(app).settings.app_name
    assert sorted((mail.to, mail.subject) for mail in await mailbox.mails()) == [
        ("ada@example.com", f"Your {name} e-mail address was changed"),
        ("ada@example.com", f"Your {name} password was changed"),
        ("countess@example.com", f"Reset your {name} password"),
        ("countess@example.com", f"Your {name} e-mail address was changed"),
        ("countess@example.com", f"Your {name} password was changed"),
    ]
    for mail in await mailbox.mails():
        assert f"your {name} account" in mail.text
