"""Passwords: which are accepted, and how they are hashed without stopping other requests."""

import asyncio
import os
import re
import secrets
import sys
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import ceil
from typing import Final, TypeVar

import bcrypt

from app.accounts.common_passwords import is_common
from app.errors import Unavailable
from app.foundation.limits.gate import in_turn
from app.foundation.modules import features_with

MIN_LENGTH: Final = 8

MAX_BYTES: Final = 72
"""bcrypt reads no further. A longer password is refused, never cut."""

MAX_CODE_POINTS: Final = MAX_BYTES * 3 // 2
"""NFKC puts at most three code points into two bytes, so a longer text can't fit into MAX_BYTES. It
is not normalised, because the time for that may grow with the square of its length (ASVS 5.0
15.1.3)."""

MAX_QUEUED: Final = 32
"""Hashes in flight, waiting ones included: at cost 12 about 3 s on two cores. More get a 503."""

NICENESS: Final = 10

MAX_COST: Final = 16
"""The highest BCRYPT_COST. A hash with a higher cost is still compared."""

_BCRYPT: Final = re.compile(
    rb"\$2[abxy]\$(?P<cost>0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
)
"""Anything else that is stored is no hash, and no password opens it."""

NO_PASSWORD: Final = "!"  # noqa: S105  # nosec B105
"""Stored in place of a hash until a mailed link has set a password."""

FOREIGN_STEP: Final = 4
"""The cost of the bcrypt hashes that a foreign one is measured by."""

MEASURED_STEPS: Final = 3
"""The quickest counts: the first finds nothing of bcrypt in the processor's caches."""

T = TypeVar("T")


def normalise(password: str) -> bytes:
    """The bytes to hash, for setting and for checking (NFKC, NIST SP 800-63B-4).

    The caller has made sure that there are at most MAX_CODE_POINTS.
    """
    return unicodedata.normalize("NFKC", password).encode()


def password_problem(password: str) -> str | None:
    """Say what is wrong with a new password; None if it is good."""
    if len(password) < MIN_LENGTH:
        return f"must have at least {MIN_LENGTH} characters"
    if len(password) > MAX_CODE_POINTS or len(normalise(password)) > MAX_BYTES:
        return f"must have at most {MAX_BYTES} bytes in UTF-8"
    if "\x00" in password:
        return "must not contain the NUL character"
    if not any(c.isupper() for c in password):
        return "must have an upper-case letter"
    if not any(c.islower() for c in password):
        return "must have a lower-case letter"
    if not any(c.isdigit() for c in password):
        return "must have a digit"
    if is_common(normalise(password).decode()):
        return "is one of the most common passwords"
    return None


class PasswordHasher:
    """bcrypt in threads of its own: as many as cores, at low priority, behind a short queue.

    bcrypt at cost 12 takes a core for 0.2 s. On the event loop eight people signing in would
    stop the API; in these threads other requests keep 80 % of their speed.
    """

    def __init__(self, cost: int) -> None:
        self._cost = cost
        # Compared against when there is no such user, so that the answer takes as long.
        self._nobody = f"$2b${cost:02}${'.' * 53}".encode()
        self._most_work = 2**cost
        self._queued = 0
        self._threads = ThreadPoolExecutor(
            os.cpu_count(), thread_name_prefix="bcrypt", initializer=_yield_to_others
        )

    async def hash(self, password: str) -> str:
        """Hash a new password, which `password_problem` has accepted, as `$2b$...`.

        Raises:
            Unavailable: too many hashes are waiting.
        """
        data = normalise(password)
        salt = bcrypt.gensalt(self._cost)
        return (await self._run(lambda: bcrypt.hashpw(data, salt))).decode()

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Compare in the same time for every user and stored value, and also without a user.

        Args:
            password_hash: as stored, or None when there is no such user.

        Raises:
            Unavailable: too many hashes are waiting.
        """
        data = _possible(password)
        stored = password_hash.encode() if password_hash else self._nobody
        matches = await self._run(lambda: self._compare(data or b"", stored))
        return matches and data is not None and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with another cost than today's."""
        return not password_hash.startswith(f"$2b${self._cost:02}$")

    def refuse_if_full(self) -> None:
        """
        Raises:
            Unavailable: too many hashes are waiting.
        """
        if self._queued >= MAX_QUEUED:
            # A random time, or all who were refused together would return together.
            wait_seconds = 2 + secrets.randbelow(3)
            raise Unavailable(
                "Too many people are signing in. Try again.", retry_after=wait_seconds
            )

    def _compare(self, data: bytes, stored: bytes) -> bool:
        """Compare, and add the missing work if the hash asks for less than the dearest that was
        met: it was made before BCRYPT_COST was raised, or elsewhere."""
        if foreign := _foreign_verifier(stored):
            matches, work = self._compare_foreign(foreign, data)
        else:
            known = _BCRYPT.fullmatch(stored)
            matches = bcrypt.checkpw(data, stored if known else self._nobody) and known is not None
            work = 2 ** (int(known["cost"]) if known else self._cost)
        self._most_work = max(self._most_work, min(work, 2**MAX_COST))
        for cost in range(FOREIGN_STEP, MAX_COST):  # twice the work of a cost is that of the next
            if max(self._most_work - work, 0) & 2**cost:
                bcrypt.hashpw(data, _cheap(cost))
        return matches

    def _compare_foreign(self, verify: Callable[[bytes], bool], data: bytes) -> tuple[bool, int]:
        """Compare with a hash of another kind; also tell which cost of bcrypt is as much work.

        The work is measured in this thread's own time, so other threads don't matter. The cost is
        rounded up: else each refusal that took a little longer would make all later ones longer.
        """
        steps = [time.thread_time()]
        for _ in range(MEASURED_STEPS):
            bcrypt.hashpw(data, _cheap(FOREIGN_STEP))
            steps.append(time.thread_time())
        matches = verify(data)
        spent = time.thread_time() - steps[0]
        step = max(min(later - earlier for earlier, later in pairwise(steps)), 1e-6)
        grain = 2 ** max(self._cost - 3, FOREIGN_STEP)
        return matches, ceil(spent / step * 2**FOREIGN_STEP / grain) * grain

    async def _run(self, work: Callable[[], T]) -> T:
        async with in_turn():
            self.refuse_if_full()
            self._queued += 1
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
            finally:
                self._queued -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _possible(password: str) -> bytes | None:
    """The bytes to compare; None for a password that can't have a hash."""
    if len(password) > MAX_CODE_POINTS:
        return None
    data = normalise(password)
    return data if len(data) <= MAX_BYTES and b"\x00" not in data else None


def _cheap(cost: int) -> bytes:
    return f"$2b${cost:02}${'.' * 22}".encode()


def _foreign_verifier(stored: bytes) -> Callable[[bytes], bool] | None:
    """The checks for hashes that are not bcrypt's, from a folder of the app: see docs/import.md."""
    for part in features_with("foreign_hashes"):
        if verify := part.verifier_of(stored.decode()):
            found: Callable[[bytes], bool] = verify
            return found
    return None


def _yield_to_others() -> None:
    """Let the event loop's thread win over this one; on an idle machine it costs nothing."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
