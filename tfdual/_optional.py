"""Packages that only some users have."""

import importlib
import sys
from types import ModuleType
from typing import Any


def require(name: str, extra: str | None = None, advice: str = "") -> ModuleType:
    """Import an optional package.

    Args:
        name: str. The module to import, e.g. `"matplotlib.pyplot"`.
        extra: str. The extra of tfdual that installs it. Defaults to `None`.
        advice: str. What to do where no extra helps. Defaults to none.

    Raises:
        ImportError: the package is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        what = f'Install it with `pip install "tfdual[{extra}]"`.' if extra else advice
        raise ImportError(f"`{name.split('.')[0]}` is needed here and is not installed. {what}") from error


def is_frame(source: Any, package: str) -> bool:
    """Whether it is a `DataFrame`; a package that nobody has imported has made none."""
    return package in sys.modules and isinstance(source, sys.modules[package].DataFrame)
