"""A run that was interrupted goes on where it stopped; what counts as an epoch; what Keras makes of it."""

import json
import subprocess
import sys
import time
import warnings
from itertools import chain
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from tfdual import Rows, Schema, read
from tfdual.data import row_stream
from tfdual.data.row_mask import RowMask

COUNT = 50
SCHEMA = Schema(["x"])
EPOCHS = 3


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """The numbers 0 .. 49, some from files and parts of several sizes; read by windows of 16 rows."""
    folder = tmp_path_factory.mktemp("resume")
    for name in ("parquet", "csv"):
        (folder / name).mkdir()
    pq.write_table(pa.table({"x": list(range(32))}), folder / "parquet/a.parquet", row_group_size=7)
    pq.write_table(pa.table({"x": list(range(32, COUNT))}), folder / "parquet/b.parquet", row_group_size=20)
    for name, numbers in (("a", range(11)), ("b", range(11, 40)), ("c", range(40, COUNT))):
        (folder / f"csv/{name}.csv").write_text("\n".join(["x", *map(str, numbers)]) + "\n")
    engine = create_engine(f"sqlite:///{folder}/x.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (x INTEGER)"))
        connection.execute(text("INSERT INTO numbers VALUES (:x)"), [{"x": x} for x in range(COUNT)])
    engine.dispose()
    parquet = read(folder / "parquet", SCHEMA)
    return {
        "parquet": parquet,
        "csv": read(folder / "csv", SCHEMA),
        "sql": read(f"sqlite:///{folder}/x.db", SCHEMA, query="numbers"),
        "memory": read({"x": list(range(COUNT))}, SCHEMA),
        "masked": parquet.where(RowMask([np.random.default_rng(0).random(COUNT) < 0.6])),
    }


@pytest.fixture(scope="module", autouse=True)
def small_windows() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_stream, "WINDOW_ROWS", 16)
        yield


def listed(dataset: tf.data.Dataset) -> list[list[int]]:
    return [batch["x"].numpy().tolist() for batch in dataset]


def passes(dataset: tf.data.Dataset, count: int) -> list[list[list[int]]]:
    return [listed(dataset) for _ in range(count)]


WHOLE: dict[tuple, list[list[list[int]]]] = {}


@settings(deadline=None, max_examples=25)
@given(
    source=st.sampled_from(["parquet", "csv", "sql", "memory", "masked"]),
    size=st.sampled_from([3, 7, 20, 60]),
    shuffle=st.booleans(),
    drop=st.booleans(),
    data=st.data(),
)
def test_a_run_begun_at_any_batch_has_the_batches_of_the_whole_run(
    sources: dict[str, Rows], source: str, size: int, shuffle: bool, drop: bool, data: st.DataObject
) -> None:
    rows = sources[source]
    drop = drop and size <= len(rows)
    arguments = {"shuffle": shuffle, "seed": 4 if shuffle else None, "drop_remainder": drop}
    run = (source, size, shuffle, drop)
    WHOLE[run] = whole = WHOLE.get(run) or passes(rows.batch(size, **arguments), EPOCHS)
    batches = len(whole[0])
    start = data.draw(st.integers(0, EPOCHS * batches - 1))
    epoch, first = divmod(start, batches)
    assert passes(rows.batch(size, start=start, **arguments), EPOCHS - epoch) == [
        whole[epoch][first:],
        *whole[epoch + 1 :],
    ]


def test_each_epoch_has_all_rows_in_an_order_of_its_own(sources: dict[str, Rows]) -> None:
    epochs = passes(sources["parquet"].batch(7, shuffle=True, seed=4), 4)
    assert len({str(epoch) for epoch in epochs}) == 4
    assert [sorted(chain(*epoch)) for epoch in epochs] == [list(range(COUNT))] * 4
    assert passes(sources["parquet"].batch(7, shuffle=True, seed=4), 4) == epochs
    assert passes(sources["parquet"].batch(7, shuffle=True, seed=5), 1)[0] not in epochs


FRESH = """
import json, sys
from tfdual import Schema, read
from tfdual.data import row_stream
row_stream.WINDOW_ROWS = 16
path, start = sys.argv[1], int(sys.argv[2])
dataset = read(path, Schema(["x"])).batch(8, shuffle=True, seed=9, start=start)
print(json.dumps([[batch["x"].numpy().tolist() for batch in dataset] for _ in range(2)]))
"""


def test_a_fresh_process_goes_on_where_another_stopped(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": list(range(45))}), tmp_path / "x.parquet", row_group_size=10)
    whole = passes(read(tmp_path, SCHEMA).batch(8, shuffle=True, seed=9), 3)
    command = [sys.executable, "-c", FRESH, str(tmp_path), "8"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert json.loads(result.stdout.splitlines()[-1]) == [whole[1][2:], whole[2]]


def test_what_was_used_before_is_not_read_again(sources: dict[str, Rows], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sources["parquet"]
    read_rows: list[int] = []
    blocks = rows.stream.source.blocks
    monkeypatch.setattr(
        rows.stream.source, "blocks", lambda part, *rest: read_rows.append(part.rows) or blocks(part, *rest)
    )
    assert len(listed(rows.batch(8, start=6 * 7 + 6))) == 1
    assert read_rows == [18]
    read_rows.clear()
    assert len(listed(rows.batch(8, shuffle=True, seed=0, start=6 * 7 + 6))) == 1
    assert sum(read_rows) <= 18 + 7


@pytest.mark.parametrize("seen", [1, 3, 6])
def test_a_pass_that_is_broken_off_does_not_use_the_epoch_up(sources: dict[str, Rows], seen: int) -> None:
    whole = passes(sources["parquet"].batch(8, shuffle=True, seed=1), 2)
    dataset = sources["parquet"].batch(8, shuffle=True, seed=1)
    iterator = iter(dataset)
    looked = [next(iterator)["x"].numpy().tolist() for _ in range(seen)]
    time.sleep(0.1)  # what reads ahead has read the rest by now
    assert looked == whole[0][:seen]
    assert passes(dataset, 2) == whole


def test_an_epoch_is_over_with_its_last_batch_before_anything_else_is_asked_for(sources: dict[str, Rows]) -> None:
    whole = passes(sources["parquet"].batch(8, shuffle=True, seed=1), 2)
    dataset = sources["parquet"].batch(8, shuffle=True, seed=1)
    for epoch in whole:
        iterator = iter(dataset)
        assert [next(iterator)["x"].numpy().tolist() for _ in range(len(epoch))] == epoch


def test_two_passes_at_a_time_are_the_same_epoch_and_count_once(sources: dict[str, Rows]) -> None:
    whole = passes(sources["memory"].batch(8, shuffle=True, seed=1), 2)
    dataset = sources["memory"].batch(8, shuffle=True, seed=1)
    pairs = [(a["x"].numpy().tolist(), b["x"].numpy().tolist()) for a, b in tf.data.Dataset.zip(dataset, dataset)]
    assert pairs == [(batch, batch) for batch in whole[0]]
    assert listed(dataset) == whole[1]


@pytest.mark.parametrize("start", [0, 3])
def test_repeated_batches_are_the_epochs_in_their_orders(sources: dict[str, Rows], start: int) -> None:
    whole = list(chain(*passes(sources["parquet"].batch(8, shuffle=True, seed=1), 3)))
    dataset = sources["parquet"].batch(8, shuffle=True, seed=1, start=start)
    assert listed(dataset.repeat().take(15)) == whole[start : start + 15]


def test_a_run_that_goes_on_still_tells_the_batches_of_an_epoch(sources: dict[str, Rows]) -> None:
    dataset = sources["memory"].batch(8, start=9)
    assert dataset.cardinality() == 7
    assert [len(each) for each in passes(dataset, 2)] == [5, 7]
    assert dataset.element_spec == sources["memory"].batch(8).element_spec


class Recorder(keras.Model):
    """Remembers what it was trained with, batch by batch and epoch by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = self.add_weight(shape=(), name="scale")
        self.epochs: list[list[list[int]]] = []
        self.compile(optimizer="sgd", loss="mse")

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        return self.scale * tf.cast(inputs["x"], tf.float32)

    def train_step(self, data: tuple) -> dict[str, tf.Tensor]:
        data, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        tf.py_function(lambda x: self.epochs[-1].append(x.numpy().tolist()), [data["x"]], [])
        self.optimizer.apply([tf.ones(())], [self.scale])
        return {"loss": tf.reduce_sum(self(data))}

    def trained(self, dataset: tf.data.Dataset, **arguments: int) -> list[list[list[int]]]:
        callback = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: self.epochs.append([]))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Your input ran out of data")
            self.fit(dataset, callbacks=[callback], verbose=0, shuffle=False, **arguments)
        return self.epochs


@pytest.mark.parametrize("size", [8, 60])
def test_fit_trains_each_epoch_on_each_row_once_in_the_orders_of_the_seed(sources: dict[str, Rows], size: int) -> None:
    whole = passes(sources["parquet"].batch(size, shuffle=True, seed=2), 3)
    assert Recorder().trained(sources["parquet"].batch(size, shuffle=True, seed=2), epochs=3) == whole


def test_fit_with_a_look_at_the_first_batch_trains_on_the_same(sources: dict[str, Rows]) -> None:
    whole = passes(sources["parquet"].batch(8, shuffle=True, seed=2), 2)
    dataset = sources["parquet"].batch(8, shuffle=True, seed=2)
    with tf.distribute.OneDeviceStrategy("cpu:0").scope():  # under a strategy, Keras builds from a first batch
        model = Recorder()
    assert model.trained(dataset.map(lambda batch: (batch, batch["x"])), epochs=2) == whole


def test_fit_by_steps_of_repeated_epochs_trains_on_all_of_them(sources: dict[str, Rows]) -> None:
    whole = list(chain(*passes(sources["parquet"].batch(8, shuffle=True, seed=2), 3)))
    dataset = sources["parquet"].batch(8, shuffle=True, seed=2).repeat()
    found = Recorder().trained(dataset, epochs=3, steps_per_epoch=5)
    assert found == [whole[:5], whole[5:10], whole[10:15]]


def test_fit_goes_on_in_the_middle_of_an_epoch_and_ends_with_the_last(sources: dict[str, Rows]) -> None:
    whole = passes(sources["parquet"].batch(8, shuffle=True, seed=2), 4)
    model = Recorder()
    model.trained(sources["parquet"].batch(8, shuffle=True, seed=2).repeat().take(10), epochs=1)
    used = int(model.optimizer.iterations)
    assert used == 10
    resumed = Recorder().trained(
        sources["parquet"].batch(8, shuffle=True, seed=2, start=used), initial_epoch=used // 7, epochs=4
    )
    assert resumed == [whole[1][3:], whole[2], whole[3]]
