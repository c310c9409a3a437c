"""The script of docs/tokens.md, run as a CI runs it: by a shell that knows nothing of this API."""

import asyncio
import json
import os
import re
import subprocess
import textwrap

import httpx

from tests.helpers import ROOT, Account, bearer, register
from tests.live import Serve, Server
from tests.personal_tokens.test_tokens import TOKENS, make
from tests.services import needs_curl

pytestmark = needs_curl

PAGE = (ROOT / "docs" / "tokens.md").read_text(encoding="utf-8")

STEP = re.compile(r"^ +run: \|\n((?: {10}.*\n)+)", re.MULTILINE)


async def run_job(server: Server, token: str) -> subprocess.CompletedProcess[str]:
    """What GitHub does with `run: |`: a file for `bash -e`, the secret in the environment."""
    [script] = STEP.findall(PAGE)
    environment = {"PATH": os.environ["PATH"], "API": server.url, "TOKEN": token}
    return await asyncio.to_thread(
        subprocess.run,
        ["bash", "-e", "-c", textwrap.dedent(script)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


async def end(client: httpx.AsyncClient, ada: Account, token_id: str) -> None:
    response = await client.delete(f"{TOKENS}/{token_id}", headers=ada.headers)
    assert response.status_code == 200


async def test_a_job_signs_in_until_its_token_is_ended(serve: Serve) -> None:
    async with serve() as server, server.client() as client:
        ada = await register(client)
        made = await make(client, ada, name="GitHub Actions", readOnly=True)

        job = await run_job(server, made["token"])

        assert (job.returncode, job.stderr) == (0, "")
        assert json.loads(job.stdout)["id"] == ada.id
        [listed] = (await client.get(TOKENS, headers=ada.headers)).json()["tokens"]
        assert listed["lastUsedAt"] is not None
        body = {"name": "Eve"}
        wrote = await client.patch("/api/users/me", json=body, headers=bearer(made["token"]))
        assert wrote.status_code == 403

        await end(client, ada, made["id"])
        failed = await run_job(server, made["token"])

        assert failed.returncode != 0
        assert json.loads(failed.stdout)["error"]["code"] == "invalid_token"
        assert made["token"] not in failed.stdout + failed.stderr + server.log
