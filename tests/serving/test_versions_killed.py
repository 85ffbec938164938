"""A store stays whole when its writers are killed at any moment, under readers that never stop."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tfdual
from tfdual.serving import Versions

KILLED = Path(__file__).with_name("killed_versions.py")
READER = """
import json, pathlib, sys
import tfdual
folder, stop = map(pathlib.Path, sys.argv[1:3])
queries = json.loads(sys.argv[3])
seen, loads = set(), 0
while not stop.exists():
    retriever = tfdual.Retriever.load(folder, version="stable")
    found = retriever.search(queries, k=5)
    assert found["id"].shape == (3, 5)
    seen.add(retriever.description["report"]["number"])
    loads += 1
    (folder.parent / "loads").write_text(str(loads))
print(json.dumps({"seen": sorted(seen), "loads": loads}))
"""


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: what a killed process leaves doesn't depend on the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.parametrize("how, kills", [("random", 200), ("each", 120)])
def test_a_store_is_whole_whenever_its_writers_are_killed(how: str, kills: int, quick_folder: Path) -> None:
    command = [sys.executable, KILLED, how, quick_folder, str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["reader"] == 0
    assert told["kills"] >= kills
    assert told["reads"] > 100


@pytest.mark.slow
def test_a_process_loads_and_searches_while_another_publishes_promotes_and_prunes(
    retriever: tfdual.Retriever, queries: dict[str, list], tmp_path: Path
) -> None:
    folder, stop, loads = tmp_path / "movies", tmp_path / "stop", tmp_path / "loads"
    store = Versions(folder)

    def publish(number: int) -> None:
        assert retriever.export(folder, {"number": number}) == folder / str(number)
        store.promote(number)
        store.prune(keep=1)

    publish(1)
    command = [sys.executable, "-c", READER, folder, stop, json.dumps(queries)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        while reader.poll() is None and not loads.exists():
            pass
        for number in range(2, 12):
            publish(number)
        stop.touch()
        out, err = reader.communicate(timeout=120)
    assert reader.returncode == 0, err[-2000:]
    told = json.loads(out)
    assert told["loads"] >= 5
    assert len(told["seen"]) > 1
    assert set(told["seen"]) <= set(range(1, 12))
    store.prune(keep=1)
    assert store.numbers() == [10, 11]
