"""Build hook: put the template, with its released versions, into the wheel as a git bundle."""

import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateBundleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `authkit/template.bundle`; an editable install builds it when it is needed."""

    PLUGIN_NAME = "template-bundle"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        bundle = load_bundle_module(Path(self.root))
        self.scratch = tempfile.TemporaryDirectory(prefix="authkit-build-")
        target = Path(self.scratch.name) / bundle.BUNDLE_NAME
        bundle.build(Path(self.root), self.metadata.version, target)
        build_data["force_include"][str(target)] = f"authkit/{bundle.BUNDLE_NAME}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self.scratch.cleanup()


def load_bundle_module(root: Path) -> ModuleType:
    """`authkit.template.bundle` from its path: authkit is not installed while it is built."""
    path = root / "cli" / "authkit" / "template" / "bundle.py"
    spec = spec_from_file_location("authkit_bundle", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
