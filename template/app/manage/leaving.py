"""`user delete` and `user export`: when somebody leaves, or asks for their data."""

import json
from argparse import Namespace
from typing import Any

from app.accounts.export import export
from app.accounts.leaving import delete_user
from app.manage.commands import add_command, add_group
from app.manage.users import find
from app.services import Services


async def delete(services: Services, args: Namespace) -> dict[str, str]:
    user = await find(services, args.email)
    return {"deleted": await delete_user(services, user.id), "id": str(user.id)}


async def export_user(services: Services, args: Namespace) -> Any:
    user = await find(services, args.email)
    return json.loads(b"".join([piece async for piece in export(services, user.id)]))


def add_commands(commands: Any) -> None:
    group = add_group(commands, "user", "administer users and their sessions")
    add_command(group, "delete", delete, "delete a user, with all that is theirs", email=True)
    add_command(group, "export", export_user, "what is kept about a user, as JSON", email=True)
