"""What every test runs under: a quiet TensorFlow, a seed, and the real data where it is."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seed what fixtures of a module or of the session draw: they are made before a test's own."""
    _seed()


@pytest.fixture(autouse=True)
def seed() -> None:
    """Seed what a test draws, whether or not it is the one for which a module's fixtures were made."""
    _seed()


def _seed() -> None:
    """Seed Python, NumPy and the backend; a test that has not imported Keras doesn't pay for it."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


def data_directory(name: str) -> Path:
    """The folder of the real data set `name`: in `TFDUAL_DATA`, or beside the checkout in `shared/data`."""
    return Path(os.environ.get("TFDUAL_DATA") or REPOSITORY.parent / "shared" / "data") / name


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """A function from the name of a real data set, e.g. `"movielens-latest-small"`, to its folder; skips without it."""

    def find(name: str) -> Path:
        directory = data_directory(name)
        if not directory.is_dir():
            pytest.skip(f"needs the real data set {name}: no folder {directory}; set TFDUAL_DATA to its parent")
        return directory

    return find


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if done is None or done.returncode:
        pytest.skip(f"needs to mount a tmpfs: {done.stderr.strip() if done else 'not root'}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
