"""Some four hundred settings of other people's machines, each asked for the answer of none.

`python scripts/other_machines.py` makes a project and a neighbour, and then asks authkit in each
setting of `machine_settings.py`: it must end and answer as without it, make the same files, write
no traceback, and leave the neighbour's files alone. What was said last stands in
docs/other-machines.txt (`--write`). Outside CI: it takes some twenty minutes on two cores, and CI
has a test for each kind. `--only TEXT` asks some. `--work DIR` keeps there what was made and what
went well, and goes on from it the next time.
"""

import argparse
import json
import platform
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from scripts.machine_settings import MAKING, Setting, all_settings
from scripts.machine_world import World, asked, checksums, make_world, own_environment, remove, run

from authkit import __version__

OUTPUT: Final = Path(__file__).parents[1] / "docs" / "other-machines.txt"


def verdict(setting: Setting, world: World) -> str:
    """Nothing when it is as it should be, else what is not."""
    home = None
    if setting.git:
        home = Path(tempfile.mkdtemp(dir=world.root / "copies"))
        section, _, rest = setting.git.partition(".")
        (home / ".gitconfig").write_text(f"[{section}]\n\t{rest.replace('=', ' = ', 1)}\n")
    given, right = asked(setting, setting.command, world.root, home), world.right[setting.command]
    if "Traceback" in given.err:
        return "a traceback: " + given.err.strip().splitlines()[-1]
    if given.code != right.code:
        return f"exit {given.code} instead of {right.code}: {given.err.strip()[-300:]}"
    if "\x1b" in given.out + given.err:
        return "escape sequences in a pipe"
    if given.made is not None and right.made is not None and given.made != right.made:
        return f"other files: {sorted(set(given.made) ^ set(right.made))[:5]}"
    if setting.command in {*MAKING, "update"} or given.out == right.out:
        return ""
    return "another answer: " + "; ".join(
        line for line in given.out.splitlines() if line not in right.out.splitlines()
    )


def ask_all(wanted: Sequence[Setting], world: World, jobs: int) -> dict[str, str]:
    """Each setting's verdict; what went well before is not asked again."""
    log = world.root / "well.json"
    well = set(json.loads(log.read_text()) if log.exists() else [])
    left = [setting for setting in wanted if setting.name not in well]
    verdicts = dict.fromkeys((setting.name for setting in wanted), "")
    with ThreadPoolExecutor(jobs) as pool:
        answers = pool.map(lambda each: verdict(each, world), left)
        for number, (setting, said) in enumerate(zip(left, answers, strict=True), start=1):
            print(f"[{number}/{len(left)}] {line_of(setting.name, said)}", file=sys.stderr)
            verdicts[setting.name] = said
            if not said:
                well.add(setting.name)
                log.write_text(json.dumps(sorted(well)))
    return verdicts


def line_of(name: str, said: str) -> str:
    return f"{'NOT' if said else 'ok'}  {name}{f'  {said}' if said else ''}".replace("\n", "\\n")


def report(verdicts: Mapping[str, str], world: World) -> tuple[str, bool]:
    """The whole text, without a path or an address of this machine, and whether all is well."""
    before = json.loads((world.root / "neighbour.json").read_text())
    touched = sorted(name for name, _ in before.items() ^ checksums(world.there).items())
    git = run(["git", "--version"], world.root, own_environment()).out.strip()
    failed = sum(map(bool, verdicts.values()))
    lines = [
        f"authkit {__version__}, Python {platform.python_version()}, {git}, {platform.system()}",
        *(line_of(name, said) for name, said in verdicts.items()),
        f"{len(verdicts)} settings, {failed} not as they should be",
        f"the neighbour's files: {', '.join(touched) or 'untouched'}",
    ]
    text = "\n".join(lines).replace(str(world.root), "…").replace(str(Path.home()), "~") + "\n"
    return re.sub(r"(https?://)[^/\s]+", r"\1…", text), not (failed or touched)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", metavar="TEXT", help="whose name has this in it")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep it here, and go on from it")
    parser.add_argument("--write", action="store_true", help=f"write docs/{OUTPUT.name}")
    options = parser.parse_args()
    began = time.monotonic()
    root = Path(options.work or tempfile.mkdtemp(prefix="other-machines-")).resolve()
    root.mkdir(parents=True, exist_ok=True)
    try:
        world = make_world(root)
        wanted = [each for each in all_settings(world.there) if options.only in each.name]
        text, well = report(ask_all(wanted, world, options.jobs), world)
    finally:
        if options.work is None:
            remove(root)
    print(text, end="")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    if options.write:
        OUTPUT.write_text(text, encoding="utf-8", newline="\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
