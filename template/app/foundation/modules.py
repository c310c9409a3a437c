"""What is used because it is there: routers of `app/api/`, commands of `app/manage/`."""

import pkgutil
from importlib import import_module
from types import ModuleType


def modules_in(package: ModuleType) -> list[ModuleType]:
    """Import the modules of a package, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [import_module(f"{package.__name__}.{name}") for name in names if name != "__main__"]
