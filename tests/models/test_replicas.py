"""Training on two replicas is training on one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CASES = [
    "sgd {}",
    "lazy_adam {'symmetric': True}",
    "in parts",
    "sampled negatives",
    "{'known_positives': 'known'}",
    "{'known_positives': 'padded'}",
    "{'known_positives': 'user_id'}",
    "{'known_positives': 'user_id', 'distinct_queries': 'user_id'}",
    "weighted",
    "weighted fit",
    "re-ranker",
    "cross-encoder",
    "factors own",
    "factors listed",
    "factors mined",
    "factors by text",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "global_clipnorm of parts",
    "no id, clipnorm",
    "no id, global_clipnorm of parts",
    "texts that rows name",
    "late interaction",
]


@pytest.mark.slow
def test_a_batch_on_two_replicas_trains_as_on_one() -> None:
    """The losses, the weights after a step or two, and the gradients of weighted rows, all unevenly split."""
    script = REPOSITORY / "tests" / "models" / "replicas.py"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{case}: equal" for case in CASES]
