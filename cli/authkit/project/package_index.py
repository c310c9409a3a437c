"""Where packages come from on this machine: what pip and uv are told about it, for our uv.

uv's own configuration stays out, whoever's it is: a `target`, a `prefix` or a workspace above would
send the packages elsewhere than into the project's `.venv`. What it says of indexes, certificates,
proxies, its cache and `exclude-newer` is kept; where uv is told nothing, pip's word counts, since
authkit itself may have been installed through that mirror.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from authkit.project import surroundings, system

UV_VARIABLES: Final = re.compile(
    "UV_(DEFAULT_INDEX|INDEX.*|EXTRA_INDEX_URL|FIND_LINKS|INSECURE_HOST|KEYRING_PROVIDER|CACHE_DIR"
    "|NO_CACHE|LINK_MODE|OFFLINE|EXCLUDE_NEWER|NATIVE_TLS|SYSTEM_CERTS|REQUEST_TIMEOUT|HTTP_.*"
    "|CONCURRENT_.*|NO_HTTP_PROXY)"
)
UV_SETTINGS: Final = frozenset(
    {
        *("index", "index-url", "extra-index-url", "find-links", "index-strategy", "no-index"),
        *("allow-insecure-host", "trusted-host", "keyring-provider", "native-tls", "system-certs"),
        *("http-proxy", "https-proxy", "no-proxy", "cache-dir", "no-cache", "link-mode", "offline"),
        *("exclude-newer", "exclude-newer-package"),
    }
)
INDEXES: Final = ("index", "index-url", "extra-index-url", "find-links")

PIP_AS_UV: Final = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
PIP_SETTING: Final = re.compile(
    r"^(?P<section>global|install|:env:)\.(?P<name>[\w-]+)=(?P<value>.*)$"
)
PIP_SECTIONS: Final = ("global", "install", ":env:")
"""The later ones win."""


@dataclass(frozen=True)
class PackageIndex:
    """What uv is told: the environment of its process, and the settings of its one file."""

    environ: dict[str, str]
    settings: dict[str, Any]

    @property
    def urls(self) -> list[str]:
        """The indexes that are configured, without passwords; none is uv's own default."""
        found = [self.environ.get(name, "") for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")]
        found += [self.settings.get("index-url", ""), pip_part(self.settings).get("index-url", "")]
        found += [str(each.get("url", "")) for each in self.settings.get("index", [])]
        return [without_password(url) for url in found if url]

    @property
    def exclude_newer(self) -> str:
        """The date after which packages are hidden, and whose word that is."""
        if value := self.environ.get("UV_EXCLUDE_NEWER"):
            return f"UV_EXCLUDE_NEWER={value}"
        value = self.settings.get("exclude-newer", pip_part(self.settings).get("exclude-newer", ""))
        return f"exclude-newer = {value} in your uv.toml" if value else ""

    def as_toml(self) -> str:
        return "".join(f"{name} = {toml(value)}\n" for name, value in self.settings.items())


def package_index(root: Path) -> PackageIndex:
    """What counts for a project in `root`."""
    kept = {name: value for name, value in os.environ.items() if UV_VARIABLES.fullmatch(name)}
    environ = surroundings.for_reading(surroundings.for_project()) | kept
    settings = {} if os.environ.get("UV_NO_CONFIG") else uv_settings(root)
    named = [name for name in kept if "INDEX" in name or name == "UV_FIND_LINKS"]
    pip = pip_settings()
    if named or any(name in settings or name in pip_part(settings) for name in INDEXES):
        pip = {name: value for name, value in pip.items() if name in {"cert", "proxy"}}
    for name, variable in PIP_AS_UV.items():
        if name in pip:
            environ.setdefault(variable, pip[name])
    if "extra-index-url" in pip:  # pip takes the best of all its indexes
        environ.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    if pip.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        settings = settings | {"no-index": True}
    return PackageIndex(environ, settings)


def uv_settings(root: Path) -> dict[str, Any]:
    """What uv's files say of where packages come from; the nearer ones win."""
    found: dict[str, Any] = {}
    for file in uv_files(root):
        with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            if file.name == "pyproject.toml":
                content = content.get("tool", {}).get("uv", {})
            kept = {name: value for name, value in content.items() if name in UV_SETTINGS}
            if pip := {k: v for k, v in pip_part(content).items() if k in UV_SETTINGS}:
                kept["pip"] = pip_part(found) | pip
            found |= kept
    return found


def uv_files(root: Path) -> Iterator[Path]:
    """The system's, the user's, the project's; or the one that a variable names."""
    if named := os.environ.get("UV_CONFIG_FILE"):
        yield Path(named)
        return
    home = os.environ.get("APPDATA" if system.WINDOWS else "XDG_CONFIG_HOME")
    with suppress(RuntimeError):  # there is no home
        yield from (Path("/etc/uv/uv.toml"), Path(home or Path.home() / ".config") / "uv/uv.toml")
    for directory in (root, *root.parents):
        for file in (directory / "uv.toml", directory / "pyproject.toml"):
            if file.is_file() and (file.name == "uv.toml" or "[tool.uv" in text_of(file)):
                yield file
                return


def text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def pip_part(settings: Mapping[str, Any]) -> dict[str, Any]:
    part = settings.get("pip")
    return part if isinstance(part, dict) else {}


def pip_settings() -> dict[str, str]:
    """What `pip config list` says; of a variable, also where there is no pip (as with `uvx`)."""
    found = {section: dict[str, str]() for section in PIP_SECTIONS}
    for line in pip_config_list().splitlines():
        if match := PIP_SETTING.match(line):
            with suppress(ValueError, SyntaxError):
                value = " ".join(str(ast.literal_eval(match["value"])).split())
                found[match["section"]][match["name"]] = value
    for name, value in os.environ.items():
        if name.startswith("PIP_") and value:
            found[":env:"][name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return {name: value for section in PIP_SECTIONS for name, value in found[section].items()}


def pip_config_list() -> str:
    """Asked of the pip beside authkit, else of the one on PATH."""
    for command in ([sys.executable, "-m", "pip"], ["pip"], ["pip3"]):
        with suppress(OSError, subprocess.TimeoutExpired):
            said = subprocess.run(
                [*command, "--disable-pip-version-check", "config", "list"],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=20,
                check=False,
            )
            if said.returncode == 0:
                return said.stdout
    return ""


def toml(value: object) -> str:
    """A value as TOML writes it; JSON's strings are TOML's."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool | int):
        return str(value).lower()
    return json.dumps(str(value), ensure_ascii=False)


def without_password(url: str) -> str:
    return re.sub(r"(//)[^/@\s]*@", r"\1", url)
