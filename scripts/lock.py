"""Lock the template's dependencies: `python scripts/lock.py [--upgrade]`.

`requirements.txt` is what a deployment installs, `requirements-dev.txt` adds the development group;
what a part needs besides stands in a `requirements-<part>.in`.
Universal (every platform and Python >= 3.11), exact, hashed, and without the address of an index.
Extras are named: pip before 23.3 does not take the pin of `coverage` for one of `coverage[toml]`.
Without `--upgrade` only what pyproject.toml demands changes.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

TEMPLATE = Path(__file__).parent.parent / "template"
OPTIONS = [
    *("--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-annotate", "--no-strip-extras"),
]
COMPILE = ["pip", "compile", "pyproject.toml", *OPTIONS]
OF_PARTS = sorted(file.name for file in TEMPLATE.glob("requirements-*.in"))
COMMANDS = {
    "requirements.txt": COMPILE,
    "requirements-dev.txt": [*COMPILE, "--group", "dev", "--constraint", "requirements.txt"],
    **{
        name.replace(".in", ".txt"): [
            *("pip", "compile", name, *OPTIONS, "--constraint", "requirements-dev.txt")
        ]
        for name in OF_PARTS
    },
}


def main() -> None:
    """Compile in a scratch directory, where pyproject.toml has a valid name."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        pyproject = (TEMPLATE / "pyproject.toml.jinja").read_text(encoding="utf-8")
        pyproject = pyproject.replace("{{ project_name }}", "project")
        (directory / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        for name in OF_PARTS:
            (directory / name).write_text((TEMPLATE / name).read_text(encoding="utf-8"))
        for name, command in COMMANDS.items():
            compile_lock(directory, name, command)


def compile_lock(directory: Path, name: str, command: list[str]) -> None:
    """Write one requirements file, starting from the versions that it holds now."""
    lock = directory / name
    if (TEMPLATE / name).exists():
        lock.write_bytes((TEMPLATE / name).read_bytes())
    arguments = [*command, "--output-file", name]
    # The first lines of the file tell its owner how to make it again.
    environ = os.environ | {"UV_CUSTOM_COMPILE_COMMAND": " ".join(["uv", *arguments])}
    uv = [find_uv_bin(), *arguments, "--quiet", *sys.argv[1:]]
    subprocess.run(uv, cwd=directory, env=environ, check=True)
    (TEMPLATE / name).write_bytes(lock.read_bytes())


if __name__ == "__main__":
    main()
