"""Sources inside a model: it trains, is saved whole, and trains on in a fresh process as it would have here."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.negatives.toy import DIM, Toy, batch, corpus
from tfdual import BruteForce
from tfdual.negatives import (
    Catalogue,
    ColumnNegatives,
    CrossBatchMemory,
    InBatch,
    MinedNegatives,
    Negatives,
    Popularity,
    StreamingFrequency,
    SumOfNegatives,
    Uniform,
)

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = 20
LOG_PROBABILITY = np.full(SIZE, -np.log(SIZE), "float32")


def rows(shuffle: int = 1) -> tf.data.Dataset:
    """User `n` likes item `n`; two items a row were shown to no avail."""
    ids = np.arange(1, SIZE + 1)
    shown = tf.ragged.constant([[i % SIZE + 1, (i + 5) % SIZE + 1][: i % 3] for i in ids], dtype=tf.int64)
    columns = {"user_id": ids, "item_id": ids, "item_id_log_probability": LOG_PROBABILITY, "shown": shown}
    return tf.data.Dataset.from_tensor_slices(columns).shuffle(shuffle, seed=0).batch(7)


def catalogue() -> Catalogue:
    genres = tf.ragged.constant([[1] * (i % 4) for i in range(SIZE)], dtype=tf.int64)
    return Catalogue(corpus(SIZE, item_id_log_probability=LOG_PROBABILITY, genres=genres))


def sources(items: Catalogue) -> SumOfNegatives:
    return (
        InBatch()
        + Uniform(8, seed=1).adapt(items)
        + Popularity(4, power=0.5, seed=2).adapt(items)
        + CrossBatchMemory(10, warm_up=2)
        + ColumnNegatives("shown").adapt(items)
    )


def trained(parts: Negatives, **kwargs: Any) -> Toy:
    model = Toy(SIZE, parts)
    model.build()
    model.compile(keras.optimizers.Adam(0.05), **kwargs)
    model.fit(rows(), epochs=2, verbose=0)
    return model


def accuracy(model: Toy) -> float:
    ids = np.arange(1, SIZE + 1)
    scores = model.user(ids).numpy() @ model.item(ids).numpy().T
    return float((scores.argmax(axis=1) == ids - 1).mean())


def test_a_model_learns_from_all_sources_at_once() -> None:
    model = trained(sources(catalogue()))
    first = accuracy(model)
    model.fit(rows(), epochs=60, verbose=0)
    assert first < 0.7
    assert accuracy(model) == 1


@pytest.mark.parametrize(
    "source",
    [
        lambda items: Uniform(16, seed=1).adapt(items),
        lambda items: Popularity(16, seed=1).adapt(items),
        lambda items: CrossBatchMemory(14),
    ],
    ids=["uniform", "popularity", "memory"],
)
def test_a_model_learns_from_one_source_alone(source: Callable[[Catalogue], Negatives]) -> None:
    model = trained(source(catalogue()))
    model.fit(rows(shuffle=SIZE), epochs=80, verbose=0)
    assert accuracy(model) > 0.9


def test_mined_negatives_are_refreshed_while_a_model_trains() -> None:
    items, searched = catalogue(), []
    mined = MinedNegatives(3, ranks=(0, 8), seed=1)
    model = Toy(SIZE, InBatch() + mined)
    model.build()

    def refresh(epoch: int, logs: dict | None = None) -> None:
        index = BruteForce().build(model.item(np.arange(1, SIZE + 1)).numpy())

        def search(query: tf.Tensor, k: int) -> tuple:
            searched.append(epoch)
            return index.search_positions(query, k)

        mined.adapt(items, search)

    model.compile(keras.optimizers.Adam(0.05))
    model.fit(rows(), epochs=30, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=refresh)])
    assert set(searched) == set(range(30))
    assert accuracy(model) == 1


@pytest.mark.parametrize("saved", ["keras", "weights"])
def test_what_is_loaded_draws_as_what_was_saved(saved: str, tmp_path: Path) -> None:
    model = trained(sources(catalogue()))
    if saved == "keras":
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    else:
        model.save_weights(tmp_path / "model.weights.h5")
        loaded = Toy.from_config(model.get_config())
        loaded.build()
        loaded.load_weights(tmp_path / "model.weights.h5")
    for step in rows().take(2):
        wanted, found = (drawn(each, step) for each in (model, loaded))
        for one, other in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(one, other)


def drawn(model: Toy, columns: dict) -> list:
    step = batch(columns["item_id"], columns["item_id_log_probability"], shown=columns["shown"])
    extra, own = model.sources.candidates(step)
    return [extra.ids, extra.log_probability, extra.mask, extra.embedding, own]


def test_a_saved_catalogue_has_its_lists(tmp_path: Path) -> None:
    model = trained(sources(catalogue()))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    everything = tf.range(SIZE)
    for part in (1, 2, 4):
        one, other = (each.sources.parts[part]._catalogue.rows(everything) for each in (model, loaded))
        assert list(one) == list(other) == ["genres", "item_id", "item_id_log_probability"]
        assert one["genres"].to_list() == other["genres"].to_list() == [[1] * (i % 4) for i in range(SIZE)]


def test_items_and_draws_are_no_weights() -> None:
    model = trained(sources(catalogue()))
    memory = 10 * DIM + 10 * 3 + 2
    assert sum(np.prod(weight.shape, dtype=int) for weight in model.sources.weights) == memory
    assert len(model.sources.trainable_weights) == 0


def test_a_source_that_was_not_adapted_is_saved_and_loaded_as_such(tmp_path: Path) -> None:
    model = Toy(SIZE, InBatch() + Uniform(3) + Popularity(3) + ColumnNegatives("shown") + MinedNegatives(2))
    model.build()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for part in loaded.sources.parts[1:3]:
        with pytest.raises(ValueError, match="knows no items yet"):
            part.draw(batch([1]))


@pytest.mark.parametrize(
    "made",
    [
        InBatch(hardest=3),
        Uniform(5, seed=2),
        Popularity(5, power=0.75, seed=2),
        CrossBatchMemory(7, warm_up=3),
        ColumnNegatives("shown", item_id="sku"),
        MinedNegatives(2, ranks=(3, 9), margin=0.1, seed=2),
        StreamingFrequency(9, rate=0.1),
        InBatch(hardest=3) + Uniform(5, seed=2),
    ],
    ids=lambda made: type(made).__name__,
)
def test_config_round_trip(made: keras.layers.Layer) -> None:
    config = made.get_config()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    assert again.get_config() == made.get_config()
    assert type(made).from_config(config).get_config() == made.get_config()
    assert config == made.get_config(), "from_config changed the config that it was given"


def test_a_streaming_frequency_is_saved_with_its_model(tmp_path: Path) -> None:
    def model() -> keras.Sequential:
        made = keras.Sequential([keras.layers.Dense(1)])
        made.build((None, 2))
        made.frequency = StreamingFrequency(9)
        made.frequency.build()
        return made

    one, other = model(), model()
    one.frequency.update(np.array([1, 1, 2]))
    one.save_weights(tmp_path / "one.weights.h5")
    other.load_weights(tmp_path / "one.weights.h5")
    ids = np.arange(9)
    np.testing.assert_array_equal(one.frequency.log_probability(ids), other.frequency.log_probability(ids))
    assert float(other.frequency.log_probability(np.array([1]))[0]) == pytest.approx(np.log(2 / 3))


@pytest.mark.slow
def test_training_goes_on_in_a_fresh_process_as_it_would_have_here(tmp_path: Path) -> None:
    model = trained(sources(catalogue()))
    model.save(tmp_path / "model.keras")
    model.fit(rows(), epochs=2, verbose=0)
    script = f"""
import keras, numpy as np
from tests.negatives.test_training import rows
model = keras.saving.load_model({str(tmp_path / "model.keras")!r})
model.fit(rows(), epochs=2, verbose=0)
np.savez({str(tmp_path / "found.npz")!r}, *model.get_weights())
"""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    for one, other in zip(model.get_weights(), found.values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
