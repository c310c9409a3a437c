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
        "an import is whole or nothing",
        "app/user_import/moving_in.py",
        "engine = create_engine(url)",
        "engine = create_engine(url, autocommit=True)",
        TESTS,
    ),
    Defence(
        63,
        "who is there already stays as they are",
        "app/user_import/moving_in.py",
        ".on_conflict_do_nothing(index_elements=[User.email])",
        '.on_conflict_do_update(index_elements=[User.email], set_={"role": "user"})',
        TESTS,
    ),
    Defence(
        63,
        "a hash of no known kind is not taken over",
        "app/user_import/hashes.py",
        "if _BCRYPT.fullmatch(text) or verifier_of(text):",
        "if text:",
        TESTS,
    ),
    Defence(
        63,
        "a refusal fills up what another kind lacks",
        PASSWORDS,
        "return matches, ceil(",
        "return matches, 2**self._cost + 0 * ceil(",
        TESTS,
    ),
)
