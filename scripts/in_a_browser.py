"""Use a project from two tabs of a real Chromium, and read what its console says.

    .venv/bin/pip install playwright
    .venv/bin/python scripts/in_a_browser.py [--tries 10] [--grace 0] [--chromium PATH]

Outside CI. Both tabs of one browser share their tokens in localStorage and have an interceptor as
many applications have it: after a 401 it refreshes, then asks again. In each try the access token
is too old, and both tabs ask at once. Counted are the tries in which somebody was signed out, with
an interceptor that knows of no lost race, with the one of docs/api.md, taken from that page, and
with that one under a lock; exit 1 when one of the latter did. Then a preflight is refused for a
header, a method and the origin. `--grace` is REFRESH_REUSE_GRACE_SECONDS.
"""

import argparse
import asyncio
import json
import re
import secrets
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "template"))

helpers, live = (import_module(f"tests.{name}") for name in ("helpers", "live"))

DOCUMENTED: Final = Path(__file__).parents[1] / "template/docs/api.md"
FLAGS: Final = (
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
SETTINGS: Final = {
    "environment": "test",
    "jwt_secret": secrets.token_urlsafe(48),
    "bcrypt_cost": "4",
    "rate_limit_auth": "100000/hour",
    "rate_limit_general": "100000/hour",
}

PAGE: Final = """<!doctype html><title>tab</title><link rel="icon" href="data:,"><script>
const API = "%(api)s";
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const load = () => JSON.parse(localStorage.getItem("tokens"));
const store = (tokens) => localStorage.setItem("tokens", JSON.stringify(tokens));
const signOut = () => localStorage.setItem("signedOut", "yes");
const post = (path, body) => fetch(API + path,
  { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
const get = () => fetch(API + "/api/users/me",
  { headers: { Authorization: "Bearer " + load().accessToken } });

let raced = false;
const noted = (send) => async (path, body) => {
  const answer = await send(path, body);
  raced = raced || answer.status === 401;
  return answer;
};

async function usual(post) {
  const answer = await post("/api/auth/refresh", { refreshToken: load().refreshToken });
  return answer.status === 200 ? store(await answer.json()) : signOut();
}
async function documented(post) {
%(documented)s
}
async function locked(post) {
  const used = load().refreshToken;
  return navigator.locks.request("refresh", () =>
    load().refreshToken === used ? documented(post) : load());
}

async function ask(refresh) {
  raced = false;
  let answer = await get();
  if (answer.status === 401) {
    await refresh(noted(post));
    answer = await get();
  }
  return { status: answer.status, raced };
}
</script>"""


@contextmanager
def pages(directory: Path) -> Iterator[str]:
    """Serves a directory; its origin."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def documented() -> str:
    """What docs/api.md advises, as it stands there."""
    section = DOCUMENTED.read_text(encoding="utf-8").partition("## Two tabs")[2]
    found = re.search(r"```js\n(.*?)```", section, re.DOTALL)
    if found is None:
        raise SystemExit(f"{DOCUMENTED} has no script in its section “Two tabs”")
    return found[1]


async def try_once(client: Any, tabs: list[Any], refresh: str, number: int) -> tuple[bool, bool]:
    """Let both tabs ask at once; whether they raced, and whether that signed somebody out."""
    account = await helpers.register(client, f"{refresh}-{number}@example.com")
    tokens = {"accessToken": "too.old.", "refreshToken": account.refresh_token}
    script = "tokens => { localStorage.clear(); localStorage.setItem('tokens', tokens) }"
    await tabs[0].evaluate(script, json.dumps(tokens))
    answers = await asyncio.gather(*(tab.evaluate(f"ask({refresh})") for tab in tabs))
    signed_out = await tabs[0].evaluate("localStorage.getItem('signedOut')") is not None
    ended = signed_out or any(answer["status"] != 200 for answer in answers)
    return any(answer["raced"] for answer in answers), ended


async def count(client: Any, tabs: list[Any], tries: int) -> int:
    """How often somebody was signed out who need not have been."""
    needless = 0
    for refresh in ("usual", "documented", "locked"):
        done = [await try_once(client, tabs, refresh, number) for number in range(tries)]
        races, ended = (sum(flags) for flags in zip(*done, strict=True))
        print(f"{refresh}: raced in {races} of {tries} tries, signed out in {ended}")
        needless += 0 if refresh == "usual" else ended
    return needless


REFUSED: Final = {
    "a header": "fetch(API + '/health', { headers: { 'X-Other': '1' } })",
    "a method": "fetch(API + '/health', { method: 'PROPFIND' })",
}


async def refusals(tab: Any, stranger: Any) -> None:
    said: list[str] = []
    for page in (tab, stranger):
        page.on("console", lambda message: said.append(message.text))
    cases = [(tab, name, script) for name, script in REFUSED.items()]
    cases.append((stranger, "the origin", REFUSED["a header"]))
    for page, name, script in cases:
        said.clear()
        await page.evaluate(f"{script}.catch(() => 0)")
        while not said:  # noqa: ASYNC110 - the message comes after the answer
            await asyncio.sleep(0.05)
        print(f"{name}: {said[0]}")


async def run(here: Path, chosen: argparse.Namespace) -> int:
    playwright = import_module("playwright.async_api").async_playwright
    url = f"sqlite:///{here}/wild.db"
    await asyncio.to_thread(helpers.migrate, url)
    with pages(here) as ours, pages(here) as theirs:
        values = SETTINGS | {"database_url": url, "cors_origins": ours}
        values["refresh_reuse_grace_seconds"] = str(chosen.grace)
        async with (
            live.serving(here, values) as api,
            api.client() as client,
            playwright() as started,
        ):
            text = PAGE % {"api": api.url, "documented": documented()}
            (here / "tab.html").write_text(text, encoding="utf-8")
            browser = await started.chromium.launch(
                executable_path=chosen.chromium, chromium_sandbox=False, args=list(FLAGS)
            )
            print(f"Chromium {browser.version}")
            context = await browser.new_context()
            tabs = [await context.new_page() for _ in range(2)]
            for tab in tabs:
                await tab.goto(f"{ours}/tab.html")
            needless = await count(client, tabs, chosen.tries)
            stranger = await context.new_page()
            await stranger.goto(f"{theirs}/tab.html")
            await refusals(tabs[0], stranger)
            await browser.close()
            return needless


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--grace", type=int, default=0)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    with tempfile.TemporaryDirectory(prefix="wild-") as directory:
        return 1 if asyncio.run(run(Path(directory), parser.parse_args())) else 0


if __name__ == "__main__":
    sys.exit(main())
