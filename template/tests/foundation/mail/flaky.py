"""Mail that goes nowhere, and what tests of it do again and again."""

import asyncio

import httpx
from sqlalchemy import select

from app.accounts.messages import start_mail
from app.foundation.database import utc_now
from app.foundation.mail import Mail, QueuedMail
from app.services import Services
from tests.helpers import OTHER_PASSWORD, PASSWORD, Account


class FlakyMailer:
    """Fails as often as it is told, then delivers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.delivered: list[Mail] = []
        self.rehearsed: list[Mail] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.busy = self.peak = 0

    async def deliver(self, mail: Mail) -> None:
        self.busy += 1
        self.peak = max(self.peak, self.busy)
        try:
            await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)
            self.delivered.append(mail)
        finally:
            self.busy -= 1

    async def rehearse(self, mail: Mail) -> None:
        self.rehearsed.append(mail)

    @property
    def recipients(self) -> list[str]:
        return sorted(mail.to for mail in self.delivered)


async def forgot(client: httpx.AsyncClient, email: str = "ada@example.com") -> None:
    response = await client.post("/api/auth/forgot-password", json={"email": email})
    assert (response.status_code, response.json()) == (200, {"message": "Reset email sent"})


async def change_password(client: httpx.AsyncClient, ada: Account) -> None:
    body = {"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD}
    changed = await client.post("/api/users/me/change-password", json=body, headers=ada.headers)
    assert changed.status_code == 200


async def restarted(services: Services) -> None:
    """What waits is looked at anew, as at the next poll."""
    await services.outbox.close()
    start_mail(services)
    await all_mailed_now(services)


async def all_mailed_now(services: Services) -> None:
    """Wait until nothing is due and nobody is at work; mails may wait for another try."""
    due = select(QueuedMail.id).where(QueuedMail.not_before <= utc_now())
    for _ in range(5):  # a mail that was claimed a moment ago is in neither
        while await services.database.fetch_one(due) or services.outbox._under_way:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.01)
