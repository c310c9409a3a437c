"""E-mail addresses: one spelling a mailbox."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.accounts.emails import MAX_EMAIL, canonical_email, masked


def test_what_is_too_long_to_be_an_address_is_not_normalised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Operators' commands come here too, without the schema of the API in front."""
    with monkeypatch.context() as patched:
        patched.setattr(unicodedata, "normalize", None)  # a call would be a TypeError
        with pytest.raises(ValueError, match="must be an e-mail address"):
            canonical_email("a" * MAX_EMAIL + "@example.com")


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  ADA@Example.COM\n", "ada@example.com"),
        ("Ada.Lovelace+news@example.co.uk", "ada.lovelace+news@example.co.uk"),
        ("ada@BÜCHER.example", "ada@bücher.example"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("ADA@xn--bcher-kva.example", "ada@bücher.example"),
        ("ada@example.test", "ada@example.test"),
    ],
)
def test_an_address_has_one_spelling(typed: str, canonical: str) -> None:
    assert canonical_email(typed) == canonical


@pytest.mark.parametrize(
    ("email", "shown"),
    [
        ("countess@example.com", "c***@example.com"),
        ("claim.your.prize@example.com", "c***@example.com"),
        ("x@claim.your.prize.example", "x***@***.prize.example"),
        ("x@test", "x***@test"),
    ],
)
def test_an_address_is_shown_to_others_without_its_words(email: str, shown: str) -> None:
    assert masked(email) == shown


@pytest.mark.parametrize(
    "invisible",
    [
        *("\u00ad", "\u034f", "\u115f", "\u1160", "\u17b4", "\u180b", "\u200b", "\u200d", "\u202e"),
        *("\u2060", "\u2800", "\u3164", "\ufe0f", "\ufeff", "\uffa0", "\U0001d159", "\U000e0100"),
    ],
    ids=ascii,
)
def test_an_invisible_character_makes_no_other_address(invisible: str) -> None:
    with pytest.raises(ValueError, match="must be an e-mail address"):
        canonical_email(f"ad{invisible}a@example.com")


@given(st.text() | st.emails() | st.tuples(st.text(), st.text()).map("@".join))
def test_a_canonical_address_is_its_own(text: str) -> None:
    try:
        canonical = canonical_email(text)
    except ValueError:
        pass
    else:
        assert canonical_email(canonical) == canonical
        assert canonical == canonical.strip().lower()
        assert canonical.isprintable()
        assert len(canonical) <= 254
        assert canonical.count("@") == 1
        assert not set(canonical) & set('"<>, ')


@given(st.emails())
def test_the_case_of_an_address_does_not_matter(address: str) -> None:
    def read(text: str) -> str | None:
        try:
            return canonical_email(text)
        except ValueError:
            return None

    assert read(address) == read(address.upper()) == read(f" {address} ")
