"""Debian's newer suites, unpacked beside the system and entered by chroot.

Everything runs in a mount namespace of its own, so that no mount outlives its program.
"""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
RECIPE: Final = "/usr/share/debootstrap/scripts/sid"
"""All suites are unpacked alike, also those that this system's debootstrap has never heard of."""

LENT: Final = ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf")
"""How this machine reaches the network."""

NO_SERVICES: Final = "#!/bin/sh\nexit 101\n"

_ENTER: Final = """
mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/tmp" &&
chmod 1777 "$0/tmp" && exec chroot --userspec="$1" "$0" /usr/bin/env -C "$2" "${@:3}"
"""
START_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Suite:
    """An unpacked suite; paths of commands are those inside."""

    root: Path

    def command(
        self, *command: str, user: str = "root", directory: str = "/", **environ: str
    ) -> list[str]:
        """What runs a command inside, as the same process."""
        variables = ["HOME=/root", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        variables += [f"{name}={value}" for name, value in environ.items()]
        enter = ["unshare", "--mount", "bash", "-c", _ENTER, str(self.root), f"{user}:"]
        return [*enter, directory, "-i", *variables, *command]

    def run(self, *command: str, **options: str) -> str:
        """Run it to its end; returns what it printed."""
        done = subprocess.run(
            self.command(*command, **options), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    @contextmanager
    def server(self, port: int, *command: str, user: str = "root") -> Iterator[None]:
        """Run it until the end of the block; it answers on its port."""
        log = self.root / f"srv/{Path(command[0]).name}.log"
        with log.open("wb") as file:
            inside = self.command(*command, user=user, directory="/srv")
            process = subprocess.Popen(inside, stdout=file, stderr=file)
        try:
            give_up_at = time.monotonic() + START_SECONDS
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > give_up_at:
                    raise SystemExit(f"{command[0]} does not start: {log.read_text()}")
                time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGINT)  # PostgreSQL's SIGTERM waits for its clients
            process.wait()


def unpack(name: str, root: Path, packages: Sequence[str]) -> Suite:
    """Unpack a suite, unless it is there, and install packages; none of their services starts."""
    suite = Suite(root)
    done = root.with_suffix(".unpacked")
    if not done.exists():
        shutil.rmtree(root, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--keyring={KEYRING}", name, str(root)]
        subprocess.run([*command, _mirror(), RECIPE], check=True, stdout=subprocess.DEVNULL)
        done.touch()
    _lend(root)
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text(NO_SERVICES)
    policy.chmod(0o755)
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    # A mirror may lag behind; what it has is signed all the same.
    suite.run("apt-get", "update", "-qq", "-o", "Acquire::Check-Valid-Until=false", **quiet)
    suite.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, **quiet)
    _lend(root)  # what a package has made anew
    return suite


def _lend(root: Path) -> None:
    for file in filter(Path.exists, map(Path, LENT)):
        copy = root / file.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def _mirror() -> str:
    """From where this system's own packages come; others only add to this address."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return min(found, key=len)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return bool(probe.connect_ex(("127.0.0.1", port)) == 0)
