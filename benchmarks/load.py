"""Driving a server with wrk, and reading what it measured."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LUA: Final = Path(__file__).with_name("lua")

INSTALL_WRK: Final = "install it: `apt-get install wrk` (Debian, Ubuntu) or `brew install wrk`"


class LoadError(Exception):
    """A run is worth nothing: the generator is missing, or what it asked for was not answered."""


@dataclass(frozen=True)
class Result:
    """What wrk saw. Refused are 503 and 429; failed is every other answer but 2xx."""

    seconds: float
    ok: int
    refused: int
    failed: int
    broken: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def rps(self) -> float:
        return self.ok / self.seconds


@dataclass(frozen=True)
class Load:
    """So many connections, each asking again as soon as it was answered."""

    script: str
    url: str
    connections: int
    environment: Mapping[str, str]

    def run(self, seconds: float) -> Result:
        result = self.finish(self.start(seconds))
        if not result.ok:
            raise LoadError(f"{self.script} {self.url}: nothing was answered in {seconds} s")
        return result

    def start(self, seconds: float) -> "subprocess.Popen[str]":
        command = ["wrk", "--threads", "1", "--connections", str(self.connections)]
        # A second's fraction is not accepted. Threads: 1, for client and server share the cores.
        command += ["--duration", f"{round(seconds)}s", "--timeout", "30s"]
        return subprocess.Popen(
            [*command, "--script", str(LUA / f"{self.script}.lua"), self.url],
            env={**os.environ, "BENCHMARK_LUA": str(LUA), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> Result:
        output, _ = process.communicate()
        for line in output.splitlines():
            if line.startswith("RESULT "):
                result = Result(**json.loads(line.removeprefix("RESULT ")))
                self._check(result)
                return result
        raise LoadError(f"wrk did not measure {self.url}:\n{output}")

    def _check(self, result: Result) -> None:
        if result.failed or result.broken:
            raise LoadError(f"{self.script} {self.url}: not what was asked for: {result}")


def post(url: str, body: str) -> dict[str, str]:
    """One request, JSON or a form, and its answer."""
    kind = "application/json" if body.startswith("{") else "application/x-www-form-urlencoded"
    request = urllib.request.Request(url, body.encode(), headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=120) as response:
        answer: dict[str, str] = json.load(response)
        return answer


def drain(url: str, body: str) -> None:
    """Wait for the logins that are still queued when their clients have gone: for one behind them.

    They would slow down the next case.
    """
    while True:
        try:
            post(url, body)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(0.5)
        else:
            return


def require_wrk() -> None:
    """
    Raises:
        LoadError: wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise LoadError(f"wrk, the load generator, is not installed; {INSTALL_WRK}")
