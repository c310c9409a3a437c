"""The side of a server under test that runs in the process of its own; `tests.live` starts it.

It is forked from a process that has imported everything but `app.main`: importing is most of what
`python -m uvicorn` does until it serves. The server then reads its settings and builds the
application in a directory and with an environment of its own. Where there is no fork, as on
Windows, it starts from nothing.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from pkgutil import iter_modules
from typing import Final
from unittest import mock

import uvicorn
from uvicorn import _subprocess

from app import api

_ROOT: Final = Path(__file__).parents[1]
_FORKS: Final = "forkserver" in multiprocessing.get_all_start_methods()
if _FORKS:
    _FORKING = multiprocessing.get_context("forkserver")
    _ROUTERS = [f"app.api.{module.name}" for module in iter_modules(api.__path__)]
    _OF_UVICORN = ["uvicorn.protocols.http.httptools_impl", "uvloop"]
    _FORKING.set_forkserver_preload([__name__, "app.application", *_ROUTERS, *_OF_UVICORN])


def start(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str], log_file: Path
) -> BaseProcess:
    """Do what `uvicorn arguments` does, there and with these variables alone; its output is
    written to the file."""
    log_file.write_bytes(b"")
    context = _FORKING if _FORKS else multiprocessing.get_context("spawn")
    if _FORKS:
        # Python 3.11 does not tell it of `sys.path`: it would find nothing, and not say so.
        with mock.patch.dict(os.environ, PYTHONPATH=str(_ROOT)):
            forkserver.ensure_running()
    process = context.Process(target=_run, args=(arguments, directory, environment, log_file))
    process.start()
    return process


def _run(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str], log_file: Path
) -> None:
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(log, standard)
    sys.argv = ["uvicorn", *arguments]  # where the application looks for its workers' number
    if _FORKS:  # its workers, too
        _subprocess.spawn = multiprocessing.get_context("fork")  # type: ignore[assignment]
    uvicorn.main(arguments, prog_name="uvicorn")
