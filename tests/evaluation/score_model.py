"""A model whose every score is given, so that ties, order and failures are known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual.index import BruteForce
from tfdual.interactions import InnerProduct
from tfdual.models.side import Side

FIRST_ID = 100


def model_of() -> Any:
    """What `evaluate` needs of a model: embeddings stand in the column `vector`."""
    return SimpleNamespace(
        item_id="item_id",
        item_columns=["vector"],
        query_side=Side(["vector"], []),
        compiled_encode_query=lambda batch: batch["vector"],
        compiled_encode_item=lambda batch: batch["vector"],
        interaction=InnerProduct(),
        exact_index=BruteForce,
    )


def corpus_of(scores: np.ndarray, batch: int = 16) -> tf.data.Dataset:
    """Items 100, 101, ... that give query i the scores `scores[i]`."""
    ids = np.arange(FIRST_ID, FIRST_ID + scores.shape[1])
    vectors = scores.T.astype(np.float32)
    return tf.data.Dataset.from_tensor_slices({"item_id": ids, "vector": vectors}).batch(batch)


def queries_of(count: int, batch: int = 16, **columns: Any) -> tf.data.Dataset:
    """Queries with lists of ids, as ragged columns, or single values."""
    tensors = {
        name: tf.ragged.constant(values, dtype=tf.float32 if name == "grades" else tf.int64, ragged_rank=1)
        if isinstance(values[0], list)
        else tf.constant(values)
        for name, values in columns.items()
    }
    vectors = np.eye(count, dtype=np.float32)
    return tf.data.Dataset.from_tensor_slices({"vector": vectors, **tensors}).batch(batch)
