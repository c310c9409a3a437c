"""A key is replaced on two hosts, one after the other, and nobody is signed out."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.rolling import load, roll, two_hosts
from tests.services import needs_haproxy

pytestmark = needs_haproxy


async def test_nobody_is_signed_out_while_the_key_is_replaced(
    values: dict[str, str], tmp_path: Path
) -> None:
    async with two_hosts(tmp_path, values) as hosts, load(hosts) as clients:
        await clients.rounds()
        for step in ("stage", "rotate", "retire"):
            await hosts.keys(step)
            if step == "rotate":
                let_a_week_pass(tmp_path / ".env")
            await roll(hosts, clients)
        assert ",".join(secrets_in(tmp_path / ".env")).count(",") == 0, "one is left"
        assert {status for _, status in clients.statuses} == {200}


def let_a_week_pass(env: Path) -> None:
    """The key that signs no longer may be retired: who is here has a token by the new one."""
    past = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    env.write_text(re.sub(r"@[^,\n]+", f"@{past}", env.read_text()))


def secrets_in(env: Path) -> list[str]:
    found = re.findall(r"^JWT_(?:STAGED_|PREVIOUS_)?SECRETS?=(.+)$", env.read_text(), re.MULTILINE)
    return [str(secret) for secret in found]


async def test_without_staging_the_hosts_refuse_each_other_s_tokens(
    values: dict[str, str], tmp_path: Path
) -> None:
    """What `rotate` warns of; and so the clients above would have noticed."""
    async with two_hosts(tmp_path, values) as hosts, load(hosts) as clients:
        await hosts.keys("rotate")
        await hosts.restart(0)
        await clients.rounds()
        assert {status for _, status in clients.statuses} == {200, 401}
