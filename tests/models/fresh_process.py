"""What an exported retriever answers in a process that never saw the model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tfdual import Retriever

PROGRAM = """
import json, sys
import tfdual
queries = json.load(open(sys.argv[2]))
found = tfdual.Retriever.load(sys.argv[1]).search(queries, k=int(sys.argv[3]))
print(json.dumps({name: values.tolist() for name, values in found.items()}))
"""


def answers(folder: Path, queries: dict[str, list], k: int) -> dict[str, Any]:
    """Ids and scores of the best `k`."""
    (folder / "queries.json").write_text(json.dumps(queries))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(folder / "queries.json"), str(k)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def require_equal_answers(retriever: Retriever, folder: Path, queries: dict[str, list], k: int) -> None:
    """Export it, and compare what a process of its own answers with what it answers here."""
    wanted = retriever.search(queries, k)
    retriever.export(folder)
    found = answers(folder, queries, k)
    np.testing.assert_allclose(found["score"], wanted["score"], atol=1e-5)
    assert found["id"] == wanted["id"].tolist()
