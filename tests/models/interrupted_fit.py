"""A training script that kills itself: `python interrupted_fit.py '[{"folder": ...}, ...]'`.

Each of the settings is a start of the script, a process of its own; one that ends writes `weights.npz`. Printed is what
ended each: 0, or minus a signal.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, EmbeddingOptions, LazyAdam, MLPBlock, Preprocessor, Rows, Schema, Tags
from tfdual.models import BackupAndRestore
from tfdual.models.whole_state import seed_states
from tfdual.negatives import CrossBatchMemory, InBatch, Uniform

REPOSITORY = Path(__file__).resolve().parents[2]
COUNT, BATCH, EPOCHS = 77, 8, 3
STEPS = 10
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID]),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("item_id", [Tags.ITEM_ID]),
    ]
)


def rows(folder: Path) -> Rows:
    rng = np.random.default_rng(0)
    columns = {
        "user_id": rng.integers(1, 20, COUNT),
        "age": rng.normal(size=COUNT).astype("float32"),
        "item_id": rng.integers(1, 30, COUNT),
    }
    pq.write_table(pa.table(columns), folder / "rows.parquet", row_group_size=20)
    return tfdual.read(folder / "rows.parquet", SCHEMA)


def dataset(kind: str, rows: Rows, prep: Preprocessor, done: int, seed: int) -> tuple[tf.data.Dataset, int | None]:
    """The training data of each kind from batch `done` on, and `steps_per_epoch`."""
    if kind == "rows":
        return rows.batch(BATCH, shuffle=True, seed=seed, start=done).map(prep), None
    if kind == "repeated":
        return rows.batch(BATCH, shuffle=True, seed=seed, start=done).map(prep).repeat(), 7
    whole = {name: np.concatenate([b[name] for b in rows.batch(BATCH).map(prep)]) for name in prep.schema.column_names}
    own = tf.data.Dataset.from_tensor_slices(whole).shuffle(COUNT, seed=3).batch(BATCH)
    return own.repeat().skip(done), STEPS


def model_of(rows: Rows, prep: Preprocessor) -> tfdual.TwoTowerModel:
    items = rows.unique(by="item_id").batch(64).map(prep)
    sources = InBatch() + Uniform(6).adapt(items) + CrossBatchMemory(20)
    towers = tfdual.TwoTowerBlock(
        prep.schema,
        MLPBlock([12, 8], dropout=0.3, no_activation_last_layer=True),
        embedding_options=EmbeddingOptions(embedding_dim_default=8),
        post="l2-norm",
    )
    return tfdual.TwoTowerModel(towers, temperature=0.2, negatives=sources)


class Kill(keras.callbacks.Callback):
    """SIGKILL after so many steps of the whole run."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if int(self.model.optimizer.iterations) >= self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def torn_after(save: int) -> None:
    """Kill the process while it writes its backup number `save`, when half of the file is there."""
    whole, saves = keras.Model.save_weights, iter(range(save))

    def torn(self: keras.Model, path: str, **options: bool) -> None:
        whole(self, path, **options)
        if next(saves, None) is None:
            os.truncate(path, os.path.getsize(path) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    keras.Model.save_weights = torn


def backup_of(settings: dict, folder: Path) -> tuple[list[keras.callbacks.Callback], int]:
    """The callback, and how many batches were used."""
    place = folder / "backup"
    if settings["backup"] == "keras":
        found = place / "training_metadata.json"
        epoch = json.loads(found.read_text())["epoch"] if found.exists() else 0
        return [keras.callbacks.BackupAndRestore(place)], epoch * STEPS
    if settings["backup"] is None:
        return [], 0
    backup = BackupAndRestore(place, settings["backup"])
    return [backup], backup.batches_done


def started(runs: list[dict], folder: Path) -> list[int]:
    """Start the script with each of the settings, one after the other; how each start ended."""
    runs = [{"folder": str(folder), **run} for run in runs]
    command = [sys.executable, "-m", "tests.models.interrupted_fit", json.dumps(runs)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "Your input ran out of data" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def train(settings: dict) -> None:
    folder = Path(settings["folder"])
    keras.utils.set_random_seed(settings.get("seed", 0))
    data = rows(folder)
    prep = Preprocessor(SCHEMA).adapt(data)
    callbacks, done = backup_of(settings, folder)
    batches, steps = dataset(settings["data"], data, prep, done, settings.get("seed", 0))
    model = model_of(data, prep)
    model.compile(LazyAdam(keras.optimizers.schedules.CosineDecay(0.05, 30)))
    model.build()
    if settings.get("torn") is not None:
        torn_after(settings["torn"])
    if settings.get("kill") is not None:
        callbacks.insert(0, Kill(settings["kill"]))
    history = model.fit(batches, epochs=EPOCHS, steps_per_epoch=steps, callbacks=callbacks, verbose=0)
    state = [*model.weights, *model.optimizer.variables, *seed_states(model)]
    values = {f"{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(state)}
    np.savez(folder / "weights.npz", **values)
    (folder / "history.json").write_text(json.dumps({"epoch": history.epoch, "loss": history.history["loss"]}))


def main() -> None:
    """Start the script with each of the settings; what is imported is shared, and nothing of TensorFlow has run yet."""
    ends = []
    for settings in json.loads(sys.argv[1]):
        child = os.fork()
        if not child:
            train(settings)
            sys.exit()
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
