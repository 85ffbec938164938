"""Keras's `fit` around a retrieval model: callbacks, validation, scalars, and what a seed decides."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.models.interrupted_fit import REPOSITORY, started
from tests.models.test_two_tower_model import PAIRS, id_model, pairs
from tfdual import CorpusEvaluation, LazyAdam, TwoTowerModel, evaluate

WATCHED = "val_ndcg@10"


def train(repeats: int = 1) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(pairs()).batch(8).repeat(repeats)


def items() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices({"item_id": pairs()["item_id"]}).batch(PAIRS)


def compiled(**arguments: object) -> TwoTowerModel:
    model = id_model()
    model.build()
    model.compile(**({"optimizer": LazyAdam(0.02)} | arguments))
    return model


def fit(model: TwoTowerModel, epochs: int, *callbacks: keras.callbacks.Callback) -> keras.callbacks.History:
    return model.fit(train(2), epochs=epochs, verbose=0, callbacks=list(callbacks))


def worse_after(epoch: int) -> keras.callbacks.Callback:
    """From this epoch on, steps go up the gradient."""
    return keras.callbacks.LearningRateScheduler(lambda now, rate: 0.02 if now < epoch else -0.02)


def quality(model: TwoTowerModel) -> float:
    return evaluate(model, train(), items(), ks=(10,))["ndcg@10"]


def test_early_stopping_on_a_corpus_metric_gives_the_weights_of_the_best_epoch() -> None:
    model = compiled()
    stopping = keras.callbacks.EarlyStopping(WATCHED, mode="max", patience=2, restore_best_weights=True)
    history = fit(model, 12, worse_after(4), CorpusEvaluation(train(), items()), stopping)
    figures = history.history[WATCHED]
    best = int(np.argmax(figures))
    assert len(figures) == best + 3 < 12
    assert figures[best] > max(figures[0], figures[-1]) + 0.02
    assert quality(model) == pytest.approx(figures[best], abs=1e-6)


LOADED = """
import sys
import keras, numpy as np
import tfdual
from tests.models.test_two_tower_model import id_model, pairs
path = sys.argv[1]
if path.endswith(".keras"):
    model = keras.saving.load_model(path)
else:
    model = id_model()
    model.build()
    model.load_weights(path)
np.savez(sys.argv[2], *model.get_weights())
"""


@pytest.mark.slow
@pytest.mark.parametrize("file", ["best.keras", "best.weights.h5"])
def test_the_best_checkpoint_is_equal_in_a_fresh_process(file: str, tmp_path: Path) -> None:
    model, kept = compiled(), []
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / file, WATCHED, save_best_only=True, save_weights_only=file.endswith("h5"), mode="max"
    )
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
    history = fit(model, 6, worse_after(3), CorpusEvaluation(train(), items()), look, checkpoint)
    best = int(np.argmax(history.history[WATCHED]))
    assert best < 5
    found = tmp_path / "found.npz"
    subprocess.run([sys.executable, "-c", LOADED, tmp_path / file, found], check=True, cwd=REPOSITORY)
    with np.load(found) as loaded:
        for value, wanted in zip(loaded.values(), kept[best], strict=True):
            np.testing.assert_array_equal(value, wanted)


def test_validation_loss_is_that_of_evaluate_and_of_the_weights_at_the_end_of_the_epoch() -> None:
    model, found = compiled(), []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: found.append(model.evaluate(train(), verbose=0))
    )
    history = model.fit(train(), epochs=3, validation_data=train(), verbose=0, callbacks=[look]).history
    assert history["val_loss"] == pytest.approx(found, rel=1e-5)
    assert len({round(value, 4) for value in found}) == 3


def test_callbacks_of_the_learning_rate_reach_a_lazy_optimizer() -> None:
    model, rates = compiled(), []
    look = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: rates.append(float(model.optimizer.learning_rate))
    )
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0)
    fit(model, 4, look, keras.callbacks.TerminateOnNaN(), plateau)
    assert rates == pytest.approx([0.02, 0.02, 0.01, 0.005])
    still = compiled()
    before = still.get_weights()
    fit(still, 1, keras.callbacks.LearningRateScheduler(lambda epoch: 0.0))
    for value, wanted in zip(still.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, wanted)


def trained(**arguments: object) -> list[np.ndarray]:
    keras.utils.set_random_seed(3)
    model = compiled(**arguments)
    fit(model, 2)
    return [*model.get_weights(), *(variable.numpy() for variable in model.optimizer.variables)]


@pytest.mark.parametrize("arguments", [{"steps_per_execution": 4}, {"run_eagerly": True}], ids=str)
def test_how_steps_are_run_does_not_change_the_weights(arguments: dict) -> None:
    for value, wanted in zip(trained(**arguments), trained(), strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-6)


def test_predict_and_evaluate_are_those_of_the_whole_set() -> None:
    model = compiled()
    found = model.predict(train(), verbose=0)
    wanted = model({name: tf.constant(values) for name, values in pairs().items()})
    for side in ("query", "item"):
        np.testing.assert_allclose(found[side], wanted[side], rtol=1e-5, atol=1e-6)
    losses = [model.evaluate(train().skip(i).take(1), verbose=0) for i in range(3)]
    assert model.evaluate(train(), verbose=0) == pytest.approx(np.mean(losses), rel=1e-5)


def weights_of_rows() -> np.ndarray:
    return np.random.default_rng(3).choice([0.0, 1.0, 5.0], PAIRS).astype(np.float32)


def test_weights_of_arrays_count_as_those_of_a_dataset() -> None:
    weights, columns = weights_of_rows(), {name: np.asarray(values) for name, values in pairs().items()}
    dataset = tf.data.Dataset.from_tensor_slices((pairs(), weights)).map(lambda x, w: (x, None, w)).batch(8)
    models = [compiled() for _ in range(3)]
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    by_dataset = models[0].fit(dataset, validation_data=dataset, verbose=0).history
    settings = {"batch_size": 8, "shuffle": False, "verbose": 0}
    by_array = (
        models[1]
        .fit(
            columns,
            sample_weight=weights,
            validation_data=(columns, None, weights),
            validation_batch_size=8,
            **settings,
        )
        .history
    )
    unweighted = models[2].fit(columns, None, **settings).history
    np.testing.assert_allclose(by_array["loss"], by_dataset["loss"], rtol=1e-5)
    np.testing.assert_allclose(by_array["val_loss"], by_dataset["val_loss"], rtol=1e-5)
    assert by_array["loss"] != pytest.approx(unweighted["loss"], rel=1e-3)
    for given, wanted in zip(models[1].get_weights(), models[0].get_weights(), strict=True):
        np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-6)
    evaluated = models[1].evaluate(columns, sample_weight=weights, batch_size=8, verbose=0)
    assert evaluated == pytest.approx(by_dataset["val_loss"][0], rel=1e-5)
    assert models[1].evaluate(columns, None, 8, 0) != pytest.approx(evaluated, rel=1e-3)
    for alike in (pd.Series(weights), weights[:, None], weights.tolist()):
        found = models[1].evaluate(columns, sample_weight=alike, batch_size=8, verbose=0)
        assert found == pytest.approx(evaluated, rel=1e-6)


@pytest.mark.parametrize(
    ("compiling", "fitting", "message"),
    [
        ({}, {"class_weight": {0: 1.0}}, "A pair has no class"),
        ({"loss_weights": [2.0]}, {}, r"has one loss. Leave loss_weights=\[2.0\] out"),
        ({}, {"sample_weight": np.ones((PAIRS, 2))}, r"one number a row, \(rows,\). Received the shape \(24, 2\)"),
        ({}, {"sample_weight": 2.0}, r"Received the shape \(\)"),
    ],
)
def test_weights_that_mean_nothing_here_are_refused(compiling: dict, fitting: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compiled(**compiling).fit(dict(pairs()), **fitting, verbose=0)


@pytest.mark.parametrize("labels", [np.ones(PAIRS), {"a": np.ones(PAIRS)}, (np.ones(PAIRS), np.ones(PAIRS))])
def test_labels_are_refused(labels: object) -> None:
    with pytest.raises(ValueError, match="takes no labels"):
        compiled().fit(dict(pairs()), labels, verbose=0)


def scalars(folder: Path) -> Iterator[tuple[str, list[float]]]:
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    for tag in events.Tags()["tensors"]:
        if tag.startswith("epoch_"):
            yield tag, [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]


def test_losses_and_corpus_metrics_are_scalars_of_tensorboard(tmp_path: Path) -> None:
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    callbacks = [CorpusEvaluation(train(), items()), board]
    history = compiled().fit(train(), epochs=3, validation_data=train(), verbose=0, callbacks=callbacks).history
    of_training, of_validation = dict(scalars(tmp_path / "train")), dict(scalars(tmp_path / "validation"))
    assert of_training["epoch_loss"] == pytest.approx(history["loss"])
    assert of_validation["epoch_loss"] == pytest.approx(history["val_loss"])
    assert of_validation["epoch_ndcg@10"] == pytest.approx(history[WATCHED])
    assert {tag.removeprefix("epoch_") for tag in of_validation} == {
        name.removeprefix("val_") for name in history if name != "loss"
    }


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, np.ndarray]]:
    """What training in a process of its own ends with: of start 0 and 1 the seed is 1, of start 2 it is 2."""
    folders = [tmp_path_factory.mktemp("seed") for _ in range(3)]
    runs = [
        {"data": "rows", "backup": None, "folder": str(folder), "seed": seed}
        for folder, seed in zip(folders, (1, 1, 2), strict=True)
    ]
    assert started(runs, folders[0]) == [0, 0, 0]
    return lambda start: dict(np.load(folders[start] / "weights.npz"))


@pytest.mark.slow
def test_a_seed_decides_all_weights(seeded: Callable[[int], dict[str, np.ndarray]]) -> None:
    one, same, other = seeded(0), seeded(1), seeded(2)
    for name, values in one.items():
        np.testing.assert_array_equal(same[name], values)
    assert not np.array_equal(other["0"], one["0"])
