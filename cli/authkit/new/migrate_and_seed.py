"""`alembic upgrade head`, `app.manage openapi --write` and `app.manage seed`, in one process.

A script, not a module of authkit's: `new` hands it to the project's Python, in the project's root.
Prints `migrated` after the first. Of each command the start takes longer than the work, and the
very first one compiles what it imports.
"""

import runpy
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def run(module: str, *arguments: str) -> None:
    """What `python -m module arguments` does."""
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())  # not authkit's own directory
    run("alembic", "upgrade", "head")
    print("migrated", flush=True)
    if find_spec("app.manage.openapi"):  # a template from before 0.7.0 has no contract
        import_module("app.manage.openapi").write()
    run("app.manage", "seed", "--json")
