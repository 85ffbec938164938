"""Corpus figures in the logs of `fit`, in time for the callbacks behind."""

from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

import tfdual
from tfdual import CorpusEvaluation, Preprocessor, Rows, TwoTowerModel, evaluate
from tfdual.evaluation import EvaluationOptions


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
    metrics = ("recall", "precision", "ndcg", "mrr", "map", "hit_rate", "coverage")
    names = {f"{name}@{k}" for name in metrics for k in (5, 10)}
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


def test_between_two_evaluations_the_last_figures_stand(
    fresh: TwoTowerModel, train: tf.data.Dataset, queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    watch = CorpusEvaluation(queries, items, (5,), prep, every=3)
    figures = fit(fresh, train, 0.5, 6, [watch])["val_ndcg@5"]
    assert figures[0] == figures[1] == figures[2]
    assert figures[3] == figures[4]
    assert len({figures[0], figures[3], figures[5]}) == 3
    assert figures[5] == pytest.approx(evaluate(fresh, queries, items, (5,), prep)["ndcg@5"])


def test_the_best_epoch_is_kept_by_a_checkpoint_behind(
    fresh: TwoTowerModel, train: tf.data.Dataset, queries: Rows, items: Rows, prep: Preprocessor, tmp_path: Path
) -> None:
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.weights.h5", "val_ndcg@10", save_best_only=True, save_weights_only=True, mode="max"
    )
    history = fit(fresh, train, 2.0, 4, [CorpusEvaluation(queries, items, preprocessor=prep, every=2), best])
    fresh.load_weights(tmp_path / "best.weights.h5")
    kept = evaluate(fresh, queries, items, (10,), prep)
    assert kept["ndcg@10"] == pytest.approx(max(history["val_ndcg@10"]))


def test_a_sample_is_drawn_once_and_is_as_large_as_asked(
    fresh: TwoTowerModel, train: tf.data.Dataset, queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    watch = CorpusEvaluation(queries, items, (5,), prep, sample=20)
    figures = fit(fresh, train, 0.0, 2, [watch])["val_recall@5"]
    assert watch.report is not None
    assert watch.report["queries"] + watch.report.totals["queries_without_relevant"] == 20
    assert figures[0] == figures[1]
    other = CorpusEvaluation(queries, items, (5,), prep, sample=20, options=EvaluationOptions(bootstrap=0, seed=1))
    fit(fresh, train, 0.0, 1, [other])
    assert other.report is not None
    assert other.report.fingerprint != watch.report.fingerprint


def test_of_a_dataset_the_first_queries_are_asked(
    fresh: TwoTowerModel, queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    ready, corpus = queries.batch(8).map(prep), items.batch(16).map(prep)
    watch = CorpusEvaluation(ready, corpus, (5,), relevant="liked", sample=16)
    fit(fresh, ready, 0.0, 1, [watch])
    assert watch.report == evaluate(fresh, ready.take(2), corpus, (5,), relevant="liked")


@pytest.mark.parametrize("wrong", [{"every": 0}, {"sample": 0}])
def test_every_and_sample_are_at_least_one(
    wrong: dict[str, int], queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    with pytest.raises(ValueError, match="every and sample are at least 1"):
        CorpusEvaluation(queries, items, preprocessor=prep, **wrong)


def test_another_model_and_another_fit_have_figures_of_their_own(
    model: TwoTowerModel, train: tf.data.Dataset, queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    watch = CorpusEvaluation(queries, items, (5,), prep, every=3)
    first, second = (TwoTowerModel.from_config(model.get_config()) for _ in range(2))
    fit(first, train, 0.5, 2, [watch])
    for _ in range(2):  # a model that was not evaluated before, and then the same one with other weights
        for weight in second.trainable_weights:
            weight.assign(-2 * weight + 0.1)
        second.compile(optimizer=keras.optimizers.SGD(0.0), jit_compile=False)
        history = second.fit(train, initial_epoch=4, epochs=6, verbose=0, callbacks=[watch]).history
        wanted = evaluate(second, queries, items, (5,), prep)["ndcg@5"]
        assert history["val_ndcg@5"] == [pytest.approx(wanted)] * 2


def test_another_model_is_searched_by_its_own_interaction(
    fresh: TwoTowerModel, train: tf.data.Dataset, queries: Rows, items: Rows, prep: Preprocessor
) -> None:
    watch = CorpusEvaluation(queries, items, (5,), prep)
    fit(fresh, train, 0.0, 1, [watch])
    indices = [watch._index]
    other = TwoTowerModel.from_config(fresh.get_config())
    for model in (fresh, other):
        fit(model, train, 0.0, 1, [watch])
        indices.append(watch._index)
    assert indices[0] is indices[1]
    assert indices[2] is not indices[1]
