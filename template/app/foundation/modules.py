"""Finds the modules that need no registration: routers of `app/api/`, commands of `app/manage/`,
and the additions of each folder of the app."""

import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

APP: Final = Path(__file__).parents[1]


def modules_in(package: ModuleType) -> list[ModuleType]:
    """Import the modules of a package, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [import_module(f"{package.__name__}.{name}") for name in names if name != "__main__"]


def features_with(name: str) -> list[ModuleType]:
    """Import the module of this name of each folder of the app that has one."""
    folders = sorted(file.parent.name for file in APP.glob(f"*/{name}.py"))
    return [import_module(f"{APP.name}.{folder}.{name}") for folder in folders]
