"""A Python file with the places of its syntax tree: reading and replacing parts of its text."""

import ast
import io
import tokenize
from dataclasses import dataclass, field
from functools import cached_property


class Unreadable(Exception):
    """This Python can't read the file."""


@dataclass
class Source:
    """The text of a file, and the edits to be made in it."""

    text: str
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    """Start and end, as offsets in UTF-8 as `ast` counts, and what comes there."""

    @cached_property
    def tree(self) -> ast.Module:
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise Unreadable from error

    @cached_property
    def data(self) -> bytes:
        return self.text.encode()

    @cached_property
    def lines(self) -> list[bytes]:
        return self.data.splitlines(keepends=True)

    @cached_property
    def starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line))
        return starts

    @cached_property
    def newline(self) -> str:
        return "\r\n" if self.lines and self.lines[0].endswith(b"\r\n") else "\n"

    @cached_property
    def comments(self) -> dict[int, tuple[int, str]]:
        """By line: the column, in characters, and the text of its comment."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {t.start[0]: (t.start[1], t.string) for t in tokens if t.type == tokenize.COMMENT}

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        last = node.end_lineno or node.lineno
        end = self.starts[last - 1] + (node.end_col_offset or 0)
        return self.starts[node.lineno - 1] + node.col_offset, end

    def segment(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.data[start:end].decode()

    def block(self, first: int, last: int) -> str:
        """Whole lines, counted from 1, `last` included."""
        return b"".join(self.lines[first - 1 : last]).decode()

    def replace(self, node: ast.expr | ast.stmt, new: str) -> None:
        self.edits.append((*self.span(node), new))

    def replace_block(self, first: int, last: int, new: str) -> None:
        self.edits.append((self.starts[first - 1], self.starts[last], new))

    def edited(self) -> str:
        data = self.data
        for start, end, new in sorted(self.edits, reverse=True):
            data = data[:start] + new.encode() + data[end:]
        return data.decode()
