"""A small model-ready schema of two sides, with every kind of column, and batches of it."""

import numpy as np
import tensorflow as tf

from tfdual import ColumnSchema, EmbeddingOptions, Schema, Tags

USERS, ITEMS, GENRES = 20, 30, 7


def domain(name: str, cardinality: int) -> dict:
    return {"domain": {"name": name, "min": 0, "max": cardinality - 1}}


SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", USERS)),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("likes", [Tags.USER], domain("item_id", ITEMS), is_list=True),
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", ITEMS)),
        ColumnSchema("genres", [Tags.ITEM], domain("genre", GENRES), is_list=True),
        ColumnSchema("picture", [Tags.ITEM], dtype="float32", dims=(None, 3)),
        ColumnSchema("item_id_log_probability", [Tags.LOG_PROBABILITY], dtype="float32"),
    ]
)
OPTIONS = EmbeddingOptions(embedding_dims={"genre": 3}, embedding_dim_default=4, combiner="sqrtn")


def ragged_ids(lengths: list[int], cardinality: int, seed: int = 0) -> tf.RaggedTensor:
    ids = np.random.default_rng(seed).integers(1, cardinality, sum(lengths))
    return tf.RaggedTensor.from_row_lengths(tf.constant(ids, tf.int64), lengths)


def batch() -> dict[str, tf.Tensor]:
    """Six rows; some of the lists are empty, and no item stands twice."""
    rng = np.random.default_rng(0)
    return {
        "user_id": tf.constant(rng.integers(1, USERS, 6)),
        "age": tf.constant(rng.normal(size=6), tf.float32),
        "likes": ragged_ids([2, 0, 3, 1, 0, 4], ITEMS),
        "item_id": tf.constant([1, 2, 3, 5, 8, 13], tf.int64),
        "genres": ragged_ids([0, 1, 2, 0, 3, 1], GENRES),
        "picture": tf.constant(rng.normal(size=(6, 3)), tf.float32),
        "item_id_log_probability": tf.constant(np.log(rng.uniform(0.01, 0.2, 6)), tf.float32),
    }
