"""What a token is worth: one verdict, and every reason for it at once.

`examine` is pure: the time, the keys and the rules are passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from authkit.tokens.claims import claim_problems, header_problems
from authkit.tokens.findings import Finding, Rules
from authkit.tokens.keys import Key
from authkit.tokens.signature import signature_problems
from authkit.tokens.text import Token


class Verdict(StrEnum):
    VERIFIED = "VERIFIED"
    UNVERIFIED = "UNVERIFIED"
    INVALID = "INVALID"


@dataclass(frozen=True)
class Report:
    """The verdict and what led to it. `key` is the key that the signature fits, if any."""

    verdict: Verdict
    reasons: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    key: Key | None = None


@dataclass(frozen=True)
class Verification:
    """What to verify with. Without keys, `missing` says why there are none.

    `extra` is what somebody else, the project's database for one, holds against the token.
    """

    keys: Sequence[Key] = ()
    rules: Rules | None = None
    missing: Finding | None = None
    wanted: bool = True
    extra: Sequence[Finding] = ()


def examine(token: Token, how: Verification, now: float, leeway: float = 0) -> Report:
    """The verdict on a token at the time `now`."""
    key, problems = signature_problems(token, how.keys if how.wanted else (), how.rules)
    problems += [*header_problems(token, how.rules)]
    problems += [*claim_problems(token.claims, how.rules, now, leeway)]
    problems += how.extra
    if not how.wanted:
        asked = Finding("not-asked", "the signature was not checked (--no-verify)")
        return Report(Verdict.UNVERIFIED, (asked,), tuple(problems))
    if how.missing is not None:
        verdict = Verdict.INVALID if problems else Verdict.UNVERIFIED
        return Report(verdict, (*problems, how.missing))
    if problems:
        return Report(Verdict.INVALID, tuple(problems), key=key)
    return Report(Verdict.VERIFIED, key=key)
