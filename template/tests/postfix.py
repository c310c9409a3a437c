"""A Postfix of one's own, as strict as those that strangers run; needs root, as Postfix does."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.live import free_port
from tests.programs import short_directory
from tests.services import REQUIRED, program

needs_postfix = pytest.mark.skipif(
    os.geteuid() != 0 or (program("postfix") is None and not REQUIRED),
    reason="needs postfix, and root to run it: install postfix",
)

MAIN: Final = """
compatibility_level = 3.6
queue_directory = {here}/spool
data_directory = {here}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {here}/mail.log
maillog_file_prefixes = {here}
myhostname = mx.example.com
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = {networks}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{relay}
smtputf8_enable = {utf8}
strict_rfc821_envelopes = yes
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname
smtpd_sender_restrictions = reject_non_fqdn_sender,
    check_sender_access inline:{{ {{ other@example.com = 553 5.7.1 not owned by you }} }}
smtpd_recipient_restrictions = reject_non_fqdn_recipient,
    check_recipient_access inline:{{ {{ gone@example.com = 550 5.1.1 No such user }} }}{policy}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
"""

MASTER: Final = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A server that hands on what it takes to the port `relay`, from `networks` alone."""

    def __init__(
        self,
        here: Path,
        *,
        relay: int,
        utf8: bool = True,
        policy: int = 0,
        networks: str = "127.0.0.0/8",
    ) -> None:
        self.port = free_port()
        self._conf = here / "conf"
        self._conf.mkdir()
        (here / "spool").mkdir()
        (here / "data").mkdir()
        shutil.chown(here / "data", "postfix")
        checked = f", check_policy_service inet:127.0.0.1:{policy}" if policy else ""
        main = MAIN.format(
            here=here,
            relay=relay,
            utf8="yes" if utf8 else "no",
            policy=checked,
            networks=networks,
        )
        (self._conf / "main.cf").write_text(main)
        (self._conf / "master.cf").write_text(MASTER.format(port=self.port))

    def start(self) -> None:
        self._run("start")

    def stop(self) -> None:
        self._run("stop")

    def _run(self, verb: str) -> None:
        command = [str(program("postfix")), "-c", str(self._conf), verb]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stderr


@contextmanager
def postfix(*, relay: int, **options: Any) -> Iterator[Postfix]:
    with short_directory() as here:
        here.chmod(0o755)  # its processes run as a user of their own
        server = Postfix(here, relay=relay, **options)
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Greylisting:
    """What Postfix asks before it takes a mail: not yet, until it is `over`."""

    def __init__(self) -> None:
        self.asked = 0
        self.over = False

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.read(4096)).endswith(b"\n\n"):
            self.asked += 1
            action = b"DUNNO" if self.over else b"450 4.2.0 Greylisted"
            writer.write(b"action=" + action + b"\n\n")
            await writer.drain()
        writer.close()
