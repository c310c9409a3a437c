"""Signing secrets that everybody can read: people copy them out of documents.

They are long and random enough, so no other check finds them. Only their hashes are kept here, so
nobody copies them from here.
"""

import hashlib
from typing import Final

_PUBLISHED: Final = frozenset(
    {
        # the tutorial of FastAPI
        "570dad43de1af4c925f92c16a68a50936da42b7dd6fdeb24850507a1199aac89",
        # the documentation of Flask
        "2598f7d6adc142d88161630f3db12ab2bd3403521c281811e5e1ce60d4ac5d76",
        # RFC 7515 and RFC 7520
        "c1d2e8726375f11fda33d032c5d84eec753aba4bad251dfdfaf8bdd8c4d26243",
        "03cf6dc15510c178079793372edd09e634ac49f4cae267b3e4191a5141f2a46e",
        # jwt.io
        "465d9ad5d5528ebe287b5dce4fb51620833d09b290e49ddcc70ca6c4a0aea01b",
        "730d21a80e61a8de82d12cb4c0b8057cff5a30e2dec50ce7a773513374f9164a",
        "db6833593279d7373592ef70e51f3daf048c04475739f8ed024b0821fd9e7fde",
        # Supabase on one's own machine
        "a064b502e61d27e94b8717290e5e1b32e36720e9fbdf952ec81a84c07128cb37",
        "1453cea2dc3799e9026e42b3e465e455256d5a149582e4c5b92d4c8d604731a2",
        # the documentation of Hasura
        "a59e993b12b84cd042858443749443fbe38d1e32fbab430e2b9e328e24290ebc",
        # tutorials of Spring
        "2b1fa627178e3424e20ffd0e18b7440c322ad538d3c96aef1e3f60d99951c23c",
        "4c0bf08221f3d71e4ed7b093b627cc8d4cb32250d5d70abdffa457a3afbc04f2",
        "138e3c21f8c5581ec97cca6b029c0b232b5bc4bfe6d573ace3be91f80784e2b4",
    }
)
"""SHA-256 of the secret in lower case: keys in hexadecimal are written in both."""


def is_published(secret: str) -> bool:
    return hashlib.sha256(secret.strip().lower().encode()).hexdigest() in _PUBLISHED
