"""`seed` and `purge`: the users to develop with, and what has expired."""

from argparse import Namespace
from typing import Any, Final

from sqlalchemy import select

from app.accounts import administration
from app.accounts.models import Role, User
from app.config import Environment
from app.errors import AppError, ErrorCode
from app.manage.commands import add_command
from app.manage.errors import CommandError
from app.manage.users import generate_password, store
from app.services import Services

SEEDS: Final = tuple(
    zip(administration.SEEDED, ("Admin", "User"), (Role.ADMIN, Role.USER), strict=True)
)


async def seed(services: Services, args: Namespace) -> list[dict[str, str]]:
    """Make the development users that are missing; their passwords are shown this once."""
    if services.settings.environment is Environment.PRODUCTION:
        raise CommandError(
            "seed makes development users, and ENVIRONMENT is production",
            "make a real one: python -m app.manage user create EMAIL --role admin",
        )
    seeded = []
    for email, name, role in SEEDS:
        known = await services.database.fetch_one(select(User.role).where(User.email == email))
        if known:
            seeded.append({"email": email, "role": known.role})
            continue
        user = {"email": email, "role": role.value, "password": generate_password()}
        try:
            await store(services, email, user["password"], name, role)
        except AppError as error:
            if error.code is not ErrorCode.EMAIL_TAKEN:
                raise
            del user["password"]  # another seed was faster, and shows its own
        seeded.append(user)
    return seeded


async def purge(services: Services, args: Namespace) -> dict[str, int]:
    """Delete what has expired."""
    return await administration.purge(services)


def add_commands(commands: Any) -> None:
    add_command(commands, "seed", seed, "make the development users that are missing")
    add_command(commands, "purge", purge, "delete what has expired, and events after 90 days")
