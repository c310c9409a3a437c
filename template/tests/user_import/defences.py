"""What of this part `python -m tests.defences` takes out."""

from tests.defences import PASSWORDS, Defence

TESTS = "tests/user_import"

DEFENCES = (
    Defence(
        63,
        "a hash asks for bounded work",
        "app/user_import/foreign_hashes.py",
        "1 <= int(found[name]) <= most",
        "1 <= int(found[name])",
        TESTS,
    ),
    Defence(
        63,
        "a refusal fills up what another kind lacks",
        PASSWORDS,
        "for _ in range(int(2 ** (self._dearest - FOREIGN_STEP) - spent)):",
        "for _ in range(0):",
        TESTS,
    ),
)
