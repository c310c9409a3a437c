"""Run the client of docs/browsers.md in a real Chromium: `python scripts/browser_client.py`.

The API runs from the template, on a database of its own; a page with the client is served on
another port of the same site, and pages of somebody else on that site and on another one. It needs
node, npm and Chromium, so it is not part of the suite. Exit code 0: nobody was signed out, and
nothing was forged.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template"
PLAYWRIGHT = "playwright-core@1.65.1"
PAGE = """<!doctype html><title>A page</title><script type="module">
import * as client from "./client.js"; window.client = client;</script>"""


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None or shutil.which("npm") is None:
        sys.exit("Install chromium, node and npm first.")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        subprocess.run(
            ["npm", "install", "--silent", "--prefix", name, PLAYWRIGHT],
            check=True,
            stdout=sys.stderr,
        )
        shutil.copy(ROOT / "scripts/browser_client.mjs", directory)
        with (
            served(directory / "pages") as pages,
            served(directory / "others") as others,
            api(directory, pages) as url,
        ):
            write_pages(directory / "pages", url)
            foreign = (f"http://localhost:{others}", f"http://127.0.0.1:{others}")
            addresses = (url, f"http://localhost:{pages}", *foreign)
            run = subprocess.run(
                ["node", "browser_client.mjs", *addresses, chromium],
                cwd=directory,
                check=True,
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
    results = json.loads(run.stdout)
    print(json.dumps(results, indent=2))
    if wrong := failures(results):
        sys.exit(f"wrong: {', '.join(wrong)}")


def failures(results: dict[str, Any]) -> list[str]:
    right = {
        "the cookie is seen by scripts": results["visibleToScripts"] == "",
        "a tab was signed out": results["threeTabs"]["signedOut"] == 0,
        "a lost answer signed somebody out": results["lostAnswer"]["signedOut"] == 0,
        "sleep signed somebody out": results["sleep"] == 200,
        "a foreign page used the cookie": results["forged"]["successes"] == 0,
        "a foreign page ended the session": results["forged"]["ownerAfterwards"] == 200,
        "signing out left something": results["signedOut"] == {"status": 401, "cookies": 0},
    }
    return [name for name, is_right in right.items() if not is_right]


def write_pages(directory: Path, url: str) -> None:
    """The page, and the client as documented, with the address of this API."""
    text = (TEMPLATE / "docs/browsers.md").read_text(encoding="utf-8")
    found = re.search(r"```js\n(.*?)```", text, re.DOTALL)
    if found is None:
        sys.exit("docs/browsers.md has no client.")
    (directory / "index.html").write_text(PAGE, encoding="utf-8")
    client = found[1].replace("https://api.example.com", url)
    (directory / "client.js").write_text(client, encoding="utf-8")


@contextlib.contextmanager
def served(directory: Path) -> Iterator[int]:
    """Serve the files of a directory; gives the port."""
    directory.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(directory))

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@contextlib.contextmanager
def api(directory: Path, pages: int) -> Iterator[str]:
    """The API on two workers, with one user."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{directory}/browsers.db",
        "JWT_SECRET": secrets.token_urlsafe(48),
        "BCRYPT_COST": "4",
        "RATE_LIMIT_ENABLED": "false",
        "REFRESH_COOKIE": "true",
        "REFRESH_REUSE_GRACE_SECONDS": "30",
        "CORS_ORIGINS": f"http://localhost:{pages}",
        "LOG_LEVEL": "error",
    }
    run = [sys.executable, "-m"]
    create = ["app.manage", "user", "create", "ada@example.com", "--password-stdin"]
    common: dict[str, Any] = {"cwd": TEMPLATE, "env": environment}
    subprocess.run([*run, "alembic", "upgrade", "head"], check=True, stderr=-3, **common)
    subprocess.run([*run, *create], check=True, stdout=-3, input=b"Correct-Horse-7\n", **common)
    command = ["uvicorn", "app.main:app", f"--port={port}", "--workers=2", "--log-level=error"]
    with subprocess.Popen([*run, *command], **common) as server:
        url = f"http://localhost:{port}"
        wait_for(f"{url}/health")
        yield url
        server.terminate()


def wait_for(url: str) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):  # noqa: S310 - ours
            return
        time.sleep(0.1)
    sys.exit("The API did not start.")


if __name__ == "__main__":
    main()
