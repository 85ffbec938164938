"""Items added, changed and deleted after the build: found, and not found, at once, in Python and in older graphs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.index.by_hand import neighbours, run_alone
from tfdual.index import BruteForce, Index, MaxSimIndex, PolyIndex, ScaNN

RNG = np.random.default_rng(0)
ITEMS = RNG.normal(size=(80, 5)).astype(np.float32)
QUERIES = RNG.normal(size=(11, 5)).astype(np.float32)
IDS = [f"ä{i}" for i in range(80)]


class Model:
    """What an index holds, as a list of ids, embeddings and whether it is live, by position."""

    def __init__(self, ids: list[str], embeddings: np.ndarray) -> None:
        self.ids, self.rows, self.live = list(ids), [*embeddings], [True] * len(ids)

    def upsert(self, rows: np.ndarray, ids: list[str]) -> None:
        for row, item in zip(rows, ids, strict=True):
            if item in self.ids:
                place = self.ids.index(item)
                self.rows[place], self.live[place] = row, True
            else:
                self.ids.append(item)
                self.rows.append(row)
                self.live.append(True)

    def delete(self, ids: list[str]) -> None:
        for item in ids:
            self.live[self.ids.index(item)] = False

    def best(self, queries: np.ndarray, k: int, distance: str, allow: np.ndarray | None = None) -> tuple:
        hidden = np.broadcast_to(~np.array(self.live), (len(queries), len(self.ids)))
        if allow is not None:
            hidden = hidden | ~allow
        positions, scores = neighbours(queries, np.array(self.rows), min(k, sum(self.live)), distance, hidden)
        return np.where(positions < 0, b"", np.array([item.encode() for item in self.ids], object)[positions]), scores


@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 6)), min_size=1, max_size=6),
    distance=st.sampled_from(["dot", "l2"]),
    k=st.integers(1, 40),
    masked=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_any_sequence_of_changes_is_found_by_a_graph_that_was_traced_before(
    steps: list[tuple[bool, int]], distance: str, k: int, masked: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    whole = lambda count: rng.integers(-3, 4, size=(count, 3)).astype(np.float32)  # noqa: E731
    start = whole(20)
    index, model = BruteForce(distance).build(start, IDS[:20]), Model(IDS[:20], start)
    specs = [tf.TensorSpec([None, 3]), tf.TensorSpec([], tf.int32), tf.TensorSpec([None], tf.bool)]
    traced = (lambda queries, k, allow: index.search(queries, k, allow=allow)) if masked else index.search
    search = tf.function(traced, input_signature=specs[: 2 + masked])
    search.get_concrete_function()
    for adds, count in steps:
        if adds:
            rows, ids = whole(count), rng.choice(IDS[:30], count, replace=False).tolist()
            index.upsert(rows, ids)
            model.upsert(rows, ids)
        else:
            live = [item for item, there in zip(model.ids, model.live, strict=True) if there]
            ids = rng.choice(live, min(count, len(live)), replace=False).tolist()
            index.delete(ids)
            model.delete(ids)
        queries, allow = whole(4), rng.random(len(model.ids)) < 0.6
        more = (None, allow) if masked else ()
        expected = model.best(queries, k, distance, allow if masked else None)
        for found in (search(queries, k, *more[1:]), index.search(queries, k, *more)):
            np.testing.assert_array_equal(found.ids.numpy(), expected[0])
            np.testing.assert_array_equal(found.scores, expected[1].astype(np.float32))
    assert index.size == sum(model.live)
    if index.size:
        compact = index.compact()
        queries = whole(5)
        found, again = index.search(queries, 30), compact.search(queries, 30)
        np.testing.assert_array_equal(found.ids, again.ids)
        np.testing.assert_array_equal(found.scores, again.scores)
        assert compact.describe() == index.describe() | {"fresh": 0, "deleted": 0}


def changed(index: Index) -> Index:
    """Item 3 changed, 7 deleted, 11 deleted and added again, two new."""
    index.delete(["ä7", "ä11"])
    rows = QUERIES[:4] * 9
    index.upsert(rows[:, None] if isinstance(index, MaxSimIndex) else rows, ["new 0", "ä3", "ä11", "new 1"])
    return index


INDICES: dict[str, Callable[[], Index]] = {
    "float32": BruteForce,
    "int8": lambda: BruteForce(dtype="int8"),
    "scann": ScaNN,
    "poly": PolyIndex,
    "poly of candidates": lambda: PolyIndex(BruteForce(), candidates=9),
    "max sim of tokens": lambda: MaxSimIndex(BruteForce(), candidates=9, neighbours=9),
    "max sim of int8": lambda: MaxSimIndex(dtype="int8"),
}


@pytest.mark.parametrize("kind", INDICES)
def test_changes_hold_on_every_index_and_exclusion_knows_new_ids(kind: str) -> None:
    """Of one code or one token, a score is the product."""
    if kind == "scann":
        pytest.importorskip("scann")
    index = INDICES[kind]()
    asked = QUERIES if index.interaction.rank == 2 else QUERIES[:, None]
    changed(index.build(ITEMS[:, None] if isinstance(index, MaxSimIndex) else ITEMS, IDS))
    found = index.search(asked[:4], 1)
    assert found.ids.numpy()[:, 0].tolist() == [b"new 0", "ä3".encode(), "ä11".encode(), b"new 1"]
    np.testing.assert_allclose(found.scores[:, 0], 9 * np.square(QUERIES[:4]).sum(axis=1), rtol=1e-5)
    assert "ä7".encode() not in index.search(asked, 100).ids.numpy()
    assert index.search(asked, 100).ids.shape == (11, 81)
    assert {name: index.describe()[name] for name in ("items", "fresh", "deleted")} == {
        "items": 81,
        "fresh": 4,
        "deleted": 1,
    }
    assert index.items.position_count == 82
    positions, _ = index.search_positions(asked[:4], 1)
    assert positions.numpy()[:, 0].tolist() == [80, 3, 11, 81]
    without = index.search(asked[:1], 81, exclude=[["new 0", "ä3"]]).ids.numpy()[0]
    assert not {b"new 0", "ä3".encode()} & set(without[:79].tolist())
    assert without[79:].tolist() == [b"", b""]
    only = np.zeros(82, bool)
    only[[3, 7, 80]] = True
    assert set(index.search(asked[:1], 5, allow=only).ids.numpy()[0].tolist()) == {b"new 0", "ä3".encode(), b""}


def test_everything_may_go_and_come_back() -> None:
    index = BruteForce().build(ITEMS, IDS)
    index.delete(IDS)
    assert index.size == 0
    assert index.search(QUERIES, 5).ids.shape == (11, 0)
    with pytest.raises(ValueError, match="holds no item any more"):
        index.compact()
    index.upsert(ITEMS, IDS)
    np.testing.assert_array_equal(index.search_positions(QUERIES, 80)[0], neighbours(QUERIES, ITEMS, 80)[0])


@pytest.mark.parametrize("unknown", ["nobody", "ä5"])
def test_an_unknown_or_deleted_id_is_named_and_nothing_is_deleted(unknown: str) -> None:
    index = BruteForce().build(ITEMS, IDS)
    index.delete(["ä5"])
    with pytest.raises(ValueError, match=f"holds no item '{unknown}', so that nothing was deleted. 1 of the 2 ids"):
        index.delete(["ä1", unknown])
    assert index.size == 79


def test_no_ids_deleted_is_no_change() -> None:
    index = BruteForce().build(ITEMS, IDS)
    index.delete([])
    assert (index.size, index.items.changes) == (80, 0)


def test_changes_that_can_not_be_right_are_refused_and_change_nothing() -> None:
    index = BruteForce("cosine").build(ITEMS, IDS)
    for rows, ids, message in [
        (ITEMS[:2], ["a", "a"], "'a' stands twice"),
        (ITEMS[:2], ["a"], "Each item needs one id. Received 2 embeddings and 1 ids"),
        (ITEMS[:1, :4], ["a"], "holds embeddings of width 5. Received 4"),
        (ITEMS[:1] * np.nan, ["a"], "The embedding of item 0 holds NaN"),
        (ITEMS[:1] * 0, ["a"], "all zeros, which has no cosine"),
        (ITEMS[:1], [""], "marks a place without an item"),
    ]:
        with pytest.raises(ValueError, match=message):
            index.upsert(rows, ids)
    with pytest.raises(TypeError, match="ids of this index are string. Received int64 ids, such as"):
        index.upsert(ITEMS[:1], [5])
    assert index.describe()["fresh"] == index.describe()["deleted"] == 0


def test_a_compact_copy_without_embeddings_can_not_be_compacted() -> None:
    index = BruteForce(dtype="int8", keep_embeddings=False).build(ITEMS, IDS)
    with pytest.raises(ValueError, match="made with keep_embeddings=False, so that it can't be built anew"):
        index.compact()


SERVED = """
import sys
import numpy as np
import tensorflow as tf
held = np.load(sys.argv[2])
loaded = tf.saved_model.load(sys.argv[1])
for k in (1, 50):
    found = loaded.search(tf.constant(held["queries"]), tf.constant(k), tf.constant([["new 0", ""]]))
    assert (found["ids"].numpy().astype(bytes) == held["ids"][:, :k]).all(), (found["ids"], held["ids"])
    assert (found["scores"].numpy() == held["scores"][:, :k]).all()
assert "tfdual" not in sys.modules
"""


def test_a_saved_model_holds_what_was_changed_before_the_export(tmp_path: Path) -> None:
    index = BruteForce().build(ITEMS, IDS)
    module = tf.Module()
    module.resources = index.resources
    specs = [tf.TensorSpec([None, 5]), tf.TensorSpec([], tf.int32), tf.TensorSpec([None, None], tf.string)]
    module.search = tf.function(lambda *arguments: index.search(*arguments)._asdict(), input_signature=specs)
    module.search.get_concrete_function()
    changed(index)
    tf.saved_model.save(module, tmp_path / "saved")
    found = index.search(QUERIES[:1], 50, exclude=[["new 0"]])
    assert b"new 1" in found.ids.numpy()
    np.savez(tmp_path / "held.npz", queries=QUERIES[:1], ids=found.ids.numpy().astype(bytes), scores=found.scores)
    run_alone(SERVED, tmp_path / "saved", tmp_path / "held.npz")
