#!/usr/bin/env bash
# Versions: fastapi-cache2 0.2.2, fastapi-etag 0.4.0, with FastAPI 0.165.0 and httpx 0.28.1.
# Done: asked twice for a resource whose ETag did not change, with the forms of If-None-Match that a
#   client or a cache in between may send: the tag, a list that holds it, the tag without W/, and `*`.
#   Then for fastapi-cache2's tag of one answer in two processes.
# Came: both answer 304 to the lone tag only, and send the whole answer for the list, the other
#   strength and `*`. fastapi-cache2's tag has no quotes, and differs from process to process: behind
#   two workers a client that has the answer is sent it again.
# Expected: 304 to each. RFC 9110, section 13.1.2: any tag of the list that matches by weak comparison,
#   or `*`, makes the condition false; section 8.8.3: a tag is a quoted string.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    fastapi==0.165.0 starlette==1.10.0 httpx==0.28.1 jinja2 fastapi-cache2==0.2.2 fastapi-etag==0.4.0
cat > "$folder/ask.py" <<'PY'
import asyncio
import sys
from importlib.metadata import version

import httpx
from fastapi import Depends, FastAPI
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.decorator import cache
from fastapi_etag import Etag, add_exception_handler

app = FastAPI()
add_exception_handler(app)
FastAPICache.init(InMemoryBackend())


async def tag(_request):
    return "first"


@app.get("/cache2")
@cache(expire=60)
async def cached():
    return {"note": "the same"}


@app.get("/etag", dependencies=[Depends(Etag(tag))])
async def tagged():
    return {"note": "the same"}


async def main() -> int:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        if sys.argv[1:] == ["tag"]:
            print((await client.get("/cache2")).headers["etag"])
            return 0
        print(*(f"{name} {version(name)}" for name in ("fastapi-cache2", "fastapi-etag")))
        changed = False
        for path in ("/cache2", "/etag"):
            given = (await client.get(path)).headers["etag"]
            forms = {"alone": given, "list": f'"other", {given}', "strong": given.removeprefix("W/"), "any": "*"}
            seen = {
                name: (await client.get(path, headers={"If-None-Match": form})).status_code
                for name, form in forms.items()
            }
            is_quoted = '"' in given
            print(f"{path}: ETag {'quoted' if is_quoted else 'without quotes'}; {seen}")
            changed |= seen != {"alone": 304, "list": 200, "strong": 200, "any": 200}
            changed |= is_quoted != (path == "/etag")
        return changed


sys.exit(asyncio.run(main()))
PY
python="$folder/venv/bin/python"
"$python" -W ignore "$folder/ask.py" || { echo "this has changed: 304 was for the lone tag only"; exit 1; }
first=$(PYTHONHASHSEED=1 "$python" -W ignore "$folder/ask.py" tag)
second=$(PYTHONHASHSEED=2 "$python" -W ignore "$folder/ask.py" tag)
echo "fastapi-cache2's tag of one answer in two processes: $first and $second"
if [[ "$first" == "$second" ]]; then echo "this has changed: they differed"; exit 1; fi
