"""Entity tags: a client says which version it has seen, so it overwrites no other.

A thing's tag is the number of its version. A client that sends it back in `If-Match` changes that
version or none (RFC 9110 §13.1.1).
"""

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Request

_TAG: Final = re.compile(r'(?<!W/)"([1-9][0-9]{0,8})"')
"""One of ours. A weak one never matches (§8.8.3.2), nor does what we have never given out."""


def entity_tag(version: int) -> str:
    return f'"{version}"'


async def seen_versions(
    request: Request,
    if_match: Annotated[
        str | None, Header(description="The `ETag` of what may be changed, else 412.")
    ] = None,
) -> frozenset[int] | None:
    """The versions that may be changed; None for all: without `If-Match`, or with `*`."""
    lines = request.headers.getlist("if-match")
    if not lines or lines == ["*"]:
        return None
    return frozenset(map(int, _TAG.findall(",".join(lines))))


Seen = Annotated[frozenset[int] | None, Depends(seen_versions)]
