"""Corpus figures in the logs of `fit`, in time for the callbacks behind."""

from typing import Any

import keras
import pytest
import tensorflow as tf

import tfdual
from tfdual import CorpusEvaluation, Preprocessor, Rows, TwoTowerModel, evaluate


@pytest.fixture
def fresh(model: TwoTowerModel, prep: Preprocessor) -> TwoTowerModel:
    """A model that a test may train."""
    return TwoTowerModel.from_config(model.get_config())


@pytest.fixture(scope="module")
def train(queries: Rows, prep: Preprocessor) -> tf.data.Dataset:
    return queries.batch(25).map(prep).cache()


def fit(model: TwoTowerModel, train: tf.data.Dataset, rate: float, epochs: int, callbacks: list[Any]) -> dict:
    model.compile(optimizer=keras.optimizers.SGD(rate), jit_compile=False)
    return model.fit(train, epochs=epochs, verbose=0, shuffle=False, callbacks=callbacks).history


def test_each_epoch_has_its_figures_and_the_last_are_those_of_evaluate(
    fresh: TwoTowerModel, train: tf.data.Dataset, queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    history = fit(fresh, train, 0.5, 3, [CorpusEvaluation(queries, items, ks=(5, 10), preprocessor=prep)])
    report = evaluate(fresh, queries, items, (5, 10), prep)
    names = {f"{name}@{k}" for name in ("recall", "ndcg", "mrr", "hit_rate") for k in (5, 10)}
    assert set(history) == {"loss"} | {f"val_{name}" for name in names}
    for name in names:
        assert len(history[f"val_{name}"]) == 3
        assert history[f"val_{name}"][-1] == pytest.approx(report[name])
    assert len(set(history["val_ndcg@10"])) > 1


def test_relevant_and_seen_columns_are_passed_on(
    fresh: TwoTowerModel, train: tf.data.Dataset, queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    history = fit(fresh, train, 0.0, 1, [CorpusEvaluation(queries, items, (10,), prep, "liked", "seen")])
    expected = evaluate(fresh, queries, items, (10,), prep, "liked", "seen")
    assert history["val_recall@10"] == [pytest.approx(expected["recall@10"])]


def test_early_stopping_reads_the_figures(
    fresh: TwoTowerModel, train: tf.data.Dataset, queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    stopping = keras.callbacks.EarlyStopping(monitor="val_recall@10", mode="max", patience=2)
    history = fit(fresh, train, 0.0, 9, [CorpusEvaluation(queries, items, preprocessor=prep), stopping])
    assert len(history["val_recall@10"]) == 3
    assert stopping.stopped_epoch == 2


def test_model_ready_datasets_work_too(
    fresh: TwoTowerModel, train: tf.data.Dataset, items: Rows, prep: Preprocessor
) -> None:
    history = fit(fresh, train, 0.0, 1, [tfdual.CorpusEvaluation(train, items.batch(16).map(prep))])
    assert 0 < history["val_recall@10"][0] < 1
