"""Cut a release: `python scripts/release.py 0.2.0 --previous <commit of the last release>`.

Freezes what the last release contained into `releases/<its version>.tar.xz`, as it is in that
commit, raises the version, and dates the changelog's "Unreleased" section. Commits nothing.
"""

import argparse
import io
import re
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from authkit.template import bundle

REPOSITORY = Path(__file__).parent.parent
VERSION_FILE = "cli/authkit/__init__.py"
VERSION = re.compile(r'^(__version__: Final = ")([^"]+)(")$', re.MULTILINE)
UNRELEASED = re.compile(r"^## Unreleased$", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut a release.")
    parser.add_argument("version", help="of the new release, like 0.2.0")
    parser.add_argument("--previous", required=True, help="the commit of the last release")
    parser.add_argument("--repository", type=Path, default=REPOSITORY, help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        cut(options.repository, options.version, options.previous)
    except (ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")


def cut(repository: Path, version: str, previous: str) -> None:
    """Check everything first, then write three files."""
    last = version_in(git(repository, "show", f"{previous}:{VERSION_FILE}").decode())
    if bundle.version_key(version) <= bundle.version_key(last):
        raise ValueError(f"{version} is not newer than {last}")
    archive = repository / "releases" / f"{last}.tar.xz"
    if archive.exists():
        raise ValueError(f"{archive.name} exists: {previous} is not the last release")
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    if len(UNRELEASED.findall(changelog)) != 1:
        raise ValueError('CHANGELOG.md needs one section "## Unreleased"')

    archive.parent.mkdir(exist_ok=True)
    archive.write_bytes(pack(committed(repository, previous)))
    today = datetime.now(tz=UTC).date().isoformat()
    dated = UNRELEASED.sub(f"## {version} - {today}", changelog)
    (repository / "CHANGELOG.md").write_text(dated, encoding="utf-8")
    source = (repository / VERSION_FILE).read_text(encoding="utf-8")
    raised = VERSION.sub(rf"\g<1>{version}\g<3>", source)
    (repository / VERSION_FILE).write_text(raised, encoding="utf-8")
    print(f"{last} is frozen in releases/{archive.name}; this tree is {version} now.")
    print("Next: run the tests, commit, build: python -m pip wheel --no-deps .")


def version_in(source: str) -> str:
    match = VERSION.search(source)
    if match is None:
        raise ValueError(f"{VERSION_FILE} names no version")
    return match[2]


def committed(repository: Path, commit: str) -> bundle.Tree:
    """What a commit has of the template."""
    tree = {}
    listing = git(repository, "ls-tree", "-r", "-z", commit, "--", *bundle.CONTENTS)
    for entry in filter(None, listing.decode().split("\0")):
        meta, path = entry.split("\t", 1)
        mode, _, blob = meta.split()
        tree[path] = bundle.File(mode, git(repository, "cat-file", "blob", blob))
    return tree


def pack(tree: bundle.Tree) -> bytes:
    """A tar of the files without dates and owners: only the contents tell two apart."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz", preset=9) as tar:
        for path, file in sorted(tree.items()):
            member = tarfile.TarInfo(path)
            if file.mode == "120000":
                member.type = tarfile.SYMTYPE
                member.linkname = file.content.decode()
                tar.addfile(member)
            else:
                member.size = len(file.content)
                member.mode = 0o755 if file.mode == "100755" else 0o644
                tar.addfile(member, io.BytesIO(file.content))
    return out.getvalue()


def git(repository: Path, *args: str) -> bytes:
    return subprocess.run(["git", *args], cwd=repository, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
