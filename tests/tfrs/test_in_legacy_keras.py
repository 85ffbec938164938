"""The tests that need legacy Keras, which is chosen when TensorFlow is imported: each module in a new process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
MODULES = sorted(path.name for path in HERE.glob("legacy_*.py"))


def test_the_modules_are_found() -> None:
    assert MODULES == ["legacy_query_model.py", "legacy_towers.py"]


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_module_passes_with_legacy_keras(module: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / module)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["TF_USE_LEGACY_KERAS"] = "1"
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
