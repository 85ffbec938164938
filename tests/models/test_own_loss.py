"""What `compile` refuses of models that have a loss of their own, and what it leaves of that: nothing."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_cross_encoder import tiny
from tests.models.test_two_tower_model import id_model, pairs
from tfdual.losses import hinge
from tfdual.tailoring import DeepReranker

RNG = np.random.default_rng(5)
VECTORS = {"query_vector": RNG.normal(size=(4, 3)), "vector": RNG.normal(size=(4, 2, 3))}
TEXTS = {"query": tf.constant(["tea", "milk"] * 2), "item": tf.constant([["tea", "milk"]] * 4)}
LABELS = np.array([[1.0, 0.0], [0.0, 1.0]] * 2)
MODELS = {
    "two towers": (id_model, (dict(pairs()),), "TwoTowerModel(loss=...)"),
    "cross-encoder": (tiny, (TEXTS, LABELS), "CrossEncoder(ranking_loss=...)"),
    "vectors": (lambda: DeepReranker(hidden=(4,)), (VECTORS, LABELS), "DeepReranker(ranking_loss=...)"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_loss_is_refused_by_compile_which_is_taken_without_it(kind: str) -> None:
    make, data, wanted = MODELS[kind]
    model = make()
    for loss in ("mse", keras.losses.MeanSquaredError(), {"score": "mse"}):
        with pytest.raises(ValueError, match="has a loss of its own. Leave `loss` out of compile") as refused:
            model.compile("adam", loss)
        assert wanted in str(refused.value)
    with pytest.raises(ValueError, match=r"has one loss. Leave loss_weights=\[2.0\] out"):
        model.compile("adam", loss_weights=[2.0])
    assert not model.compiled
    model.compile(keras.optimizers.SGD(0.1))
    assert np.isfinite(model.fit(*data, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("name", ["metrics", "weighted_metrics"])
def test_metrics_of_two_towers_are_refused_by_compile_which_is_taken_without_them(name: str) -> None:
    model = id_model()
    with pytest.raises(ValueError, match=r"Leave metrics out of compile\(\), .*CorpusEvaluation"):
        model.compile("adam", **{name: ["accuracy"]})
    model.compile("adam")
    assert list(model.fit(dict(pairs()), verbose=0).history) == ["loss"]


def test_a_model_that_scores_lists_takes_metrics_and_keeps_them_where_it_is_loaded(tmp_path: Path) -> None:
    model = DeepReranker(hidden=(4,), ranking_loss=hinge)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), metrics=["mse"])
    model.fit(VECTORS, LABELS, verbose=0)
    scores = np.asarray(model({name: tf.constant(values, tf.float32) for name, values in VECTORS.items()}))
    wanted = {
        "loss": np.mean(np.maximum(0, 1 - (scores * (2 * LABELS - 1)).sum(axis=1))),
        "mse": np.mean((scores - LABELS) ** 2),
    }
    model.save(tmp_path / "deep.keras")
    loaded = keras.saving.load_model(tmp_path / "deep.keras")
    for one in (model, loaded):
        assert one.evaluate(VECTORS, LABELS, verbose=0, return_dict=True) == pytest.approx(wanted, rel=1e-4)
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) == 1
    for found, kept in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found, kept)


@pytest.mark.parametrize("kind", MODELS)
def test_a_loss_in_a_file_is_left_out(kind: str) -> None:
    make, data, _ = MODELS[kind]
    model = make()
    optimizer = keras.saving.serialize_keras_object(keras.optimizers.SGD(0.5))
    config: dict[str, Any] = {"optimizer": optimizer, "loss": "mse", "loss_weights": None, "steps_per_execution": 2}
    model.compile_from_config(config)
    assert (float(model.optimizer.learning_rate), model.steps_per_execution) == (0.5, 2)
    assert np.isfinite(model.fit(*data, verbose=0).history["loss"]).all()


def test_metrics_in_a_file_are_left_out_of_two_towers() -> None:
    model = id_model()
    model.compile_from_config({"optimizer": "sgd", "metrics": ["accuracy"], "weighted_metrics": None})
    assert list(model.fit(dict(pairs()), verbose=0).history) == ["loss"]
