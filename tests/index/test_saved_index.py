"""Saved and loaded: the same answers in another process, and a clear word where the files are not an index."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.index.by_hand import run_alone
from tests.index.test_updates import IDS, ITEMS, QUERIES, changed
from tfdual.index import BruteForce, Index, ScaNN

LOADED = """
import sys
import numpy as np
from tfdual.index import Index
index = Index.load(sys.argv[1])
held = np.load(sys.argv[2])
found = index.search(held["queries"], 60)
assert (found.ids.numpy().astype(bytes) == held["ids"]).all()
assert (found.scores.numpy() == held["scores"]).all()
print(index.describe())
"""


@pytest.mark.parametrize(
    "index",
    [
        BruteForce(),
        BruteForce("cosine", "bfloat16"),
        BruteForce("l2", "int8", False),
        BruteForce("dot", "binary", False),
        ScaNN(0.8, "l2"),
    ],
    ids=["float32", "bfloat16", "int8", "binary", "scann"],
)
@pytest.mark.parametrize("updated", [False, True])
def test_a_loaded_index_answers_as_the_saved_one_in_another_process(
    index: Index, updated: bool, tmp_path: Path
) -> None:
    index.build(ITEMS, IDS)
    if updated:
        changed(index)
    found = index.search(QUERIES, 60)
    np.savez(tmp_path / "held.npz", queries=QUERIES, ids=found.ids.numpy().astype(bytes), scores=found.scores)
    assert index.save(tmp_path / "folder" / "index") == tmp_path / "folder" / "index"
    assert run_alone(LOADED, tmp_path / "folder" / "index", tmp_path / "held.npz").strip() == str(index.describe())
    loaded = Index.load(tmp_path / "folder" / "index")
    assert type(loaded) is type(index)
    loaded.upsert(ITEMS[:1] * 99, ["newer"])
    assert loaded.search(ITEMS[:1], 1).ids.numpy().tolist() == [[b"newer"]] or loaded.distance != "dot"


def test_integers_stay_integers(tmp_path: Path) -> None:
    BruteForce().build(ITEMS, 2**62 + np.arange(80)).save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    assert loaded.ids.tolist() == (2**62 + np.arange(80)).tolist()
    assert loaded.search(QUERIES, 1).ids.dtype.name == "int64"


def test_what_stands_there_is_not_written_over(tmp_path: Path) -> None:
    index = BruteForce().build(ITEMS)
    index.save(tmp_path / "index")
    with pytest.raises(FileExistsError, match="is there already. Save into a new folder"):
        index.save(tmp_path / "index")


def test_a_save_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    index = BruteForce().build(ITEMS)
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        index.save(tmp_path / "new" / "index")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        Index.load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="holds no saved index"):
        Index.load(tmp_path)
    (tmp_path / "index.json").write_text('{"format": "other"}')
    with pytest.raises(ValueError, match="is not of format tfdual.index, version 1"):
        Index.load(tmp_path)


@pytest.mark.parametrize("damage", ["ids.npz", "part-0.npz", "changes.npz", "shortened", "config", "kind"])
def test_a_damaged_index_is_refused(damage: str, tmp_path: Path) -> None:
    folder = BruteForce().build(ITEMS).save(tmp_path / "index")
    content = json.loads((folder / "index.json").read_text())
    if damage == "shortened":
        (folder / "part-0.npz").write_bytes((folder / "part-0.npz").read_bytes()[:-700])
    elif damage == "config":
        (folder / "index.json").write_text(json.dumps(content | {"config": {"speed": 3}}))
    elif damage == "kind":
        (folder / "index.json").write_text(json.dumps(content | {"kind": "Annoy"}))
    else:
        (folder / damage).unlink()
    with pytest.raises(ValueError, match="is damaged|Known are"):
        Index.load(folder)


@pytest.mark.parametrize("index", [BruteForce(), ScaNN(0.8)], ids=["brute force", "scann"])
def test_a_full_disk_leaves_nothing_of_an_index(index: Index, small_disk: Path) -> None:
    index.build(np.random.default_rng(0).normal(size=(21_000, 8)).astype("float32"))
    with pytest.raises(OSError, match="No space left|can't be written"):
        index.save(small_disk / "index")
    assert list(small_disk.iterdir()) == []
