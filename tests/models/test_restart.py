"""A run that was killed and started again ends as one that was never stopped."""

import json
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.interrupted_fit import EPOCHS, STEPS, started
from tests.sample_columns import OPTIONS, SCHEMA, batch
from tfdual import LazyAdam, MLPBlock, TwoTowerBlock, TwoTowerModel
from tfdual.models import BackupAndRestore
from tfdual.models.whole_state import seed_states

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs without a backup, of each kind of dataset."""
    folder = tmp_path_factory.mktemp("undisturbed")
    folders = {kind: folder / kind for kind in ("rows", "repeated", "own")}
    for path in folders.values():
        path.mkdir()
    runs = [{"data": kind, "backup": None, "folder": str(path)} for kind, path in folders.items()]
    assert started(runs, folder) == [0, 0, 0]
    return folders


def require_same(folder: Path, wanted: Path) -> None:
    """Weights, memories of negatives, slots, and seeds of dropout and draws."""
    with np.load(folder / "weights.npz") as found, np.load(wanted / "weights.npz") as expected:
        assert len(found.files) == len(expected.files) > 30
        for name in expected.files:
            np.testing.assert_array_equal(found[name], expected[name])
    history, whole = (json.loads((path / "history.json").read_text()) for path in (folder, wanted))
    assert whole["epoch"] == list(range(EPOCHS))
    assert history["epoch"] == whole["epoch"][-len(history["epoch"]) :]
    assert history["loss"][1:] == whole["loss"][-len(history["loss"]) :][1:]  # of the first epoch, a part is missing
    assert not list((folder / "backup").glob("*.h5"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "save_freq", "kills"),
    [
        ("rows", 4, [3, 13, 17]),  # before the first backup; twice in one epoch
        ("rows", 5, [20]),  # at the end of an epoch
        ("rows", "epoch", [7, 19]),
        ("repeated", 3, [12]),
        ("own", 4, [14]),
    ],
)
def test_killed_runs_end_as_one_that_was_never_stopped(
    data: str, save_freq: int | str, kills: list[int], undisturbed: dict[str, Path], tmp_path: Path
) -> None:
    run = {"data": data, "backup": save_freq}
    ends = started([run | {"kill": step} for step in kills] + [run], tmp_path)
    assert ends == [KILLED] * len(kills) + [0]
    require_same(tmp_path, undisturbed[data])


@pytest.mark.slow
def test_a_backup_that_was_half_written_is_not_used(undisturbed: dict[str, Path], tmp_path: Path) -> None:
    run = {"data": "rows", "backup": 4}
    ends = started([run | {"torn": 2}, run], tmp_path)
    assert ends == [KILLED, 0]
    require_same(tmp_path, undisturbed["rows"])


@pytest.mark.slow
def test_keras_own_callback_restores_the_same_state_at_the_end_of_an_epoch(
    undisturbed: dict[str, Path], tmp_path: Path
) -> None:
    run = {"data": "rows", "backup": "keras"}
    assert started([run | {"kill": STEPS + 4}, run], tmp_path) == [KILLED, 0]
    require_same(tmp_path, undisturbed["rows"])


def dropout_model() -> TwoTowerModel:
    towers = TwoTowerBlock(SCHEMA, MLPBlock([8, 4], dropout=0.5), embedding_options=OPTIONS)
    made = TwoTowerModel(towers)
    made.build()
    return made


def steps(count: int) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensors(batch()).repeat(count)


@pytest.mark.parametrize("file", ["model.keras", "model.weights.h5"])
def test_states_of_random_layers_are_in_the_files_of_a_model(file: str, tmp_path: Path) -> None:
    model = dropout_model()
    model.compile(LazyAdam(0.01))
    model.fit(steps(3), verbose=0)
    states = [state.numpy() for state in seed_states(model)]
    assert len(states) == 2  # one a tower
    assert all(state[1] == 3 for state in states)
    if file == "model.keras":
        model.save(tmp_path / file)
        loaded = keras.saving.load_model(tmp_path / file)
    else:
        model.save_weights(tmp_path / file)
        loaded = dropout_model()
        loaded.load_weights(tmp_path / file)
    np.testing.assert_array_equal([state.numpy() for state in seed_states(loaded)], states)


def test_weights_go_into_a_model_with_other_random_layers(tmp_path: Path) -> None:
    model = dropout_model()
    model.save_weights(tmp_path / "model.weights.h5")
    without = TwoTowerModel(TwoTowerBlock(SCHEMA, MLPBlock([8, 4]), embedding_options=OPTIONS))
    without.build()
    without.load_weights(tmp_path / "model.weights.h5")
    for found, wanted in zip(without.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_the_backup_goes_when_training_has_ended_unless_it_is_to_stay(tmp_path: Path) -> None:
    model = dropout_model()
    model.compile(LazyAdam(0.01))
    seen: list[int] = []
    backup = BackupAndRestore(tmp_path, 2)
    look = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(backup.batches_done))
    model.fit(steps(5), epochs=2, verbose=0, callbacks=[backup, look])
    assert seen == [0, 2, 2, 4, 4, 6, 6, 8, 8, 8]  # the last batch of an epoch waits for its end
    assert backup.batches_done == 0
    kept = BackupAndRestore(tmp_path, delete_checkpoint=False)
    model.fit(steps(5), epochs=2, verbose=0, callbacks=[kept])
    assert kept.batches_done == 10
    assert model.fit(steps(5), epochs=2, verbose=0, callbacks=[kept]).epoch == []
    assert model.fit(steps(5), epochs=1, verbose=0).epoch == [0]


def test_a_run_of_other_batches_or_of_an_unknown_number_is_refused(tmp_path: Path) -> None:
    model = dropout_model()
    model.compile(LazyAdam(0.01))
    backup = BackupAndRestore(tmp_path, delete_checkpoint=False)
    model.fit(steps(5), verbose=0, callbacks=[backup])
    with pytest.raises(ValueError, match="of a run with 5 batches an epoch; this one has 4"):
        model.fit(steps(4), verbose=0, callbacks=[backup])
    with pytest.raises(ValueError, match="how many an epoch has. Give steps_per_epoch"):
        model.fit(steps(5).filter(lambda _: True), verbose=0, callbacks=[backup])


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "batch"])
def test_a_save_frequency_that_is_none_is_refused(wrong: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="save_freq is a number of batches, at least 1, or 'epoch'"):
        BackupAndRestore(tmp_path, wrong)


def test_a_fit_after_one_that_was_taken_up_and_stopped_begins_with_its_own_epoch(tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            raise KeyboardInterrupt

    model = dropout_model()
    model.compile(LazyAdam(0.01))
    backup = {"backup_dir": str(tmp_path), "delete_checkpoint": False}
    model.fit(steps(2), epochs=3, verbose=0, callbacks=[BackupAndRestore(**backup)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(steps(2), epochs=5, verbose=0, callbacks=[Stop(), BackupAndRestore(**backup)])
    assert model.fit(steps(2), epochs=2, verbose=0).epoch == [0, 1]
