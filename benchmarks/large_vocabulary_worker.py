"""One step of `large_vocabulary.py`, in a process of its own; prints its seconds and peak memory as JSON."""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

if sys.argv[1] != "serve":  # a server has TensorFlow alone
    import tfdual

BATCH = 4_096


def opened(folder: Path, kind: str) -> "tfdual.Rows":
    """Rows whose item column holds every value twice."""
    schema = tfdual.Schema([tfdual.ColumnSchema("item_id", [tfdual.Tags.ITEM_ID], dtype=kind)])
    return tfdual.read(folder / "rows.parquet", schema)


def adapt(folder: Path, kind: str, _: int) -> None:
    """Learn the vocabulary and save it."""
    rows = opened(folder, kind)
    tfdual.Preprocessor(rows.schema).adapt(rows).save(folder / "prep")


def export(folder: Path, kind: str, count: int) -> None:
    """Load it, map a batch, and write a SavedModel."""
    rows = opened(folder, kind)
    prep = tfdual.Preprocessor.load(folder / "prep")
    (batch,) = rows.batch(BATCH).map(prep).take(1)
    if int(tf.reduce_min(batch["item_id"])) < 1 or int(tf.reduce_max(batch["item_id"])) > count:
        raise AssertionError("an id is outside the vocabulary")
    module = tf.Module()
    module.resources = prep.tables
    spec = tf.TensorSpec([None], rows.schema["item_id"].dtype)
    module.ids = tf.function(lambda values: prep({"item_id": values})["item_id"], input_signature=[spec])
    tf.saved_model.save(module, str(folder / "saved"))


def serve(folder: Path, kind: str, count: int) -> None:
    """Load the SavedModel with TensorFlow alone and look values up."""
    module = tf.saved_model.load(str(folder / "saved"))
    numbers = np.random.default_rng(0).integers(0, count, BATCH)
    values = tf.constant(numbers if kind == "int64" else [f"user_{number:08d}" for number in numbers])
    ids = module.ids(values).numpy()
    if ids.min() < 1 or len(np.unique(ids)) != len(np.unique(numbers)):
        raise AssertionError("a value has no id, or two share one")


def main() -> None:
    """Run the step that the command line names: step, kind, count, folder."""
    step, kind, count, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    started = time.perf_counter()
    {"adapt": adapt, "export": export, "serve": serve}[step](folder, kind, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": round(time.perf_counter() - started, 1), "peak_gib": round(peak, 2)}))


main()
