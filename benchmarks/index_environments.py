"""Environments for what tfdual does not depend on: Faiss, TensorFlow Recommenders with scann, sentence-transformers."""

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from train_step import TFRS_PACKAGES, tfrs_python

FAISS_PACKAGES = ("faiss-cpu", "numpy")
SCANN = "scann==1.4.*"  # the one for this TensorFlow
TORCH = "torch==2.13.0"  # without CUDA


def faiss_python(folder: Path, console: Console) -> str | None:
    """The interpreter of an environment with Faiss, made in `folder` where it is not there."""
    python = folder / "faiss" / "bin" / "python"
    if python.exists() and _imports(python, "faiss"):
        return str(python)
    create = [sys.executable, "-m", "venv", "--clear", folder / "faiss"]
    install = [python, "-m", "pip", "install", "-qq", *FAISS_PACKAGES]
    return str(python) if _made([create, install], "Faiss", console) else None


def tfrs_scann_python(folder: Path, console: Console) -> str | None:
    """The interpreter of the training benchmark's environment, with scann added where it lacks."""
    python = tfrs_python(folder, console)
    if python is None or _imports(Path(python), "scann"):
        return python
    install = [python, "-m", "pip", "install", "-qq", *TFRS_PACKAGES, SCANN]
    return python if _made([install], "scann beside TensorFlow Recommenders", console) else None


def sentence_transformers_python(folder: Path, console: Console) -> str | None:
    """The interpreter of an environment with sentence-transformers, made in `folder` where it is not there."""
    python = folder / "sentence-transformers" / "bin" / "python"
    if python.exists() and _imports(python, "sentence_transformers"):
        return str(python)
    create = [sys.executable, "-m", "venv", "--clear", folder / "sentence-transformers"]
    install = [python, "-m", "pip", "install", "-qq", TORCH, "sentence-transformers"]
    return str(python) if _made([create, install], "sentence-transformers", console) else None


def _imports(python: Path, package: str) -> bool:
    return subprocess.run([python, "-c", f"import {package}"], capture_output=True).returncode == 0


def _made(commands: list[list], what: str, console: Console) -> bool:
    with console.status(f"Installing {what} ..."):
        try:
            for command in commands:
                subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1]
            console.print(f"{what} is left out; it can't be installed: {reason}")
            return False
    return True
