"""Mails from files, which their owner edits."""

from pathlib import Path
from uuid import UUID

import pytest

from app.accounts.mails import LETTERS, MailKind
from app.foundation.mail import BadLetter, Mail, read_letter
from app.foundation.mail.letters import LAYOUT

VALUES = {"app_name": "Shop & <b>Sons</b>", "link": "https://x.example/#a=1&b=2"}


def letter(folder: Path, text: str) -> Mail:
    (folder / LAYOUT).write_text("<title>{subject}</title>{body}")
    (folder / "hello.txt").write_text(text)
    return read_letter(folder / "hello.txt", "jane@example.com", UUID(int=7), VALUES)


OF_PARTS = {"personal_token_created"}


def test_every_kind_has_a_file_and_every_file_a_kind() -> None:
    assert {file.stem for file in LETTERS.glob("*.txt")} - OF_PARTS == set(MailKind)


def test_text_and_html_say_the_same(tmp_path: Path) -> None:
    mail = letter(tmp_path, "Subject: From {app_name}\n\nHello,\nyou\n\n{link}\n\nBye {{}}\n")

    assert mail.subject == "From Shop & <b>Sons</b>"
    assert mail.text == "Hello,\nyou\n\nhttps://x.example/#a=1&b=2\n\nBye {}\n"
    assert mail.html == (
        "<title>From Shop &amp; &lt;b&gt;Sons&lt;/b&gt;</title><p>Hello,\nyou</p>\n"
        '<p><a href="https://x.example/#a=1&amp;b=2">\nhttps://x.example/#a=1&amp;b=2\n</a></p>\n'
        "<p>Bye {}</p>"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Hello\n\nyou\n", "must begin with 'Subject: …'"),
        ("Subject: Hello\nyou\n\nall\n", "must begin with 'Subject: …'"),
        ("Subject: Hello\n\n{name}\n", "there is no {name}"),
        ("Subject: Hello\n\n{\n", "write a brace twice"),
        ("Subject: Hello\n\n{}\n", "write a brace twice"),
        ("Subject: Hello\n\n{link.host}\n", "write a brace twice"),
        ("Subject: Hello\x07\n\nyou\n", "can't hold control characters"),
        ("Subject: Hello\n\n" + "x" * 70_000, "at most 65536 bytes"),
    ],
)
def test_a_file_that_is_no_mail_is_named_with_what_is_wrong(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(BadLetter, match=r"^hello\.txt") as caught:
        letter(tmp_path, text)
    assert problem in str(caught.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadLetter, match="No such file"):
        read_letter(tmp_path / "hello.txt", "jane@example.com", UUID(int=7), VALUES)
