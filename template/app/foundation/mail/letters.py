"""Mails from files: the text as its owner wrote it, and HTML made of it."""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from app.foundation.mail.message import Mail

LAYOUT: Final = "layout.html"

_SUBJECT: Final = "Subject: "


class BadLetter(Exception):
    """A file that is no mail; the text names it, and what is wrong."""


def read_letter(file: Path, to: str, mail_id: UUID, values: Mapping[str, str]) -> Mail:
    """Fill in a file: `Subject: …`, an empty line, the text, with `{names}` of the values.

    The HTML is the same text inside `layout.html` of the same folder. A link that has a line to
    itself can be clicked there.

    Raises:
        BadLetter: there is no such file, it has another form, or names what is not in the values.
    """
    try:
        head, _, text = file.read_text(encoding="utf-8").partition("\n\n")
        if not head.startswith(_SUBJECT) or "\n" in head:
            raise BadLetter(f"{file.name} must begin with '{_SUBJECT}…' and an empty line")
        subject, text = head.removeprefix(_SUBJECT).format(**values), text.format(**values)
        layout = file.with_name(LAYOUT).read_text(encoding="utf-8")
        page = layout.format(subject=html.escape(subject), body=_as_html(text))
        return Mail(to, subject, text, page, mail_id)
    except KeyError as error:
        raise BadLetter(f"{file.name}: there is no {{{error.args[0]}}}") from None
    except (ValueError, IndexError, AttributeError) as error:
        raise BadLetter(f"{file.name}: {error}; write a brace twice to show it") from None
    except OSError as error:
        raise BadLetter(f"{error.filename}: {error.strerror}") from None


def _as_html(text: str) -> str:
    """Paragraphs. The address of a link is on a line of its own there too."""
    paragraphs = [html.escape(part) for part in re.split(r"\n{2,}", text.strip())]
    return "\n".join(
        f'<p><a href="{part}">\n{part}\n</a></p>'
        if re.fullmatch(r"https?://\S+", part)
        else f"<p>{part}</p>"
        for part in paragraphs
    )
