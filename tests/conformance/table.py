"""One row for each public Layer and Model, and for each Optimizer: how to make it, and what it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch, ragged_ids
from tfdual.blocks import L2Norm, MLPBlock, ParallelBlock, SequentialBlock
from tfdual.features import EmbeddingTable, FeatureEncoder
from tfdual.fusion import ConcatFusion, PoolingFusion, WeightedSumFusion
from tfdual.models import TwoTowerModel
from tfdual.optimizers import LazyAdam
from tfdual.schema import Tags
from tfdual.towers import Tower, TwoTowerBlock


@dataclass(frozen=True)
class Row:
    """How a class is put through its paces.

    Args:
        cls: the class.
        arguments: every `__init__` argument, each with another value than its default.
        inputs: a batch.
    """

    cls: type
    arguments: Callable[[], dict[str, Any]] = dict
    inputs: Callable[[], Any] = lambda: vectors(5)

    def make(self) -> Any:
        return self.cls(**self.arguments())


def vectors(width: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=(6, width)), tf.float32)


def named_vectors(**widths: int) -> Callable[[], dict[str, tf.Tensor]]:
    return lambda: {name: vectors(width, seed) for seed, (name, width) in enumerate(widths.items())}


def mlp(width: int) -> MLPBlock:
    return MLPBlock([8, width], activation="tanh")


def towers() -> TwoTowerBlock:
    return TwoTowerBlock(**two_tower_arguments())


def two_tower_arguments() -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "query_tower": mlp(4),
        "item_tower": SequentialBlock([keras.layers.Dense(6, "tanh"), keras.layers.Dense(4)]),
        "query_tower_tag": Tags.ITEM,
        "item_tower_tag": Tags.USER,
        "embedding_options": OPTIONS,
        "post": L2Norm(name="unit"),
        "fusion": WeightedSumFusion(4),
    }


ROWS = [
    Row(
        MLPBlock,
        lambda: {
            "dimensions": [8, 6, 3],
            "activation": "tanh",
            "use_bias": False,
            "dropout": 0.2,
            "normalization": "layer",
            "no_activation_last_layer": True,
        },
    ),
    Row(SequentialBlock, lambda: {"layers": [keras.layers.Dense(4, "tanh"), L2Norm(), mlp(3)]}),
    Row(
        ParallelBlock,
        lambda: {
            "branches": {"wide": keras.layers.Dense(3), "deep": mlp(3)},
            "aggregation": PoolingFusion("sum"),
        },
    ),
    Row(L2Norm),
    Row(
        EmbeddingTable,
        lambda: {"cardinality": 30, "dim": 4, "combiner": "sqrtn", "initializer": "normal"},
        lambda: ragged_ids([2, 0, 3, 1, 0, 4], 30),
    ),
    Row(FeatureEncoder, lambda: {"schema": SCHEMA, "embedding_options": OPTIONS}, batch),
    Row(ConcatFusion, inputs=named_vectors(b=2, a=3)),
    Row(PoolingFusion, lambda: {"mode": "max"}, named_vectors(b=3, a=3, c=3)),
    Row(WeightedSumFusion, lambda: {"dim": 4}, named_vectors(b=4, a=4, age=1)),
    Row(
        Tower,
        lambda: {
            "schema": SCHEMA,
            "body": mlp(4),
            "embedding_options": OPTIONS,
            "fusion": WeightedSumFusion(4),
            "post": L2Norm(name="unit"),
        },
        batch,
    ),
    Row(TwoTowerBlock, two_tower_arguments, batch),
    Row(
        TwoTowerModel,
        lambda: {
            "towers": towers(),
            "temperature": 0.2,
            "item_id": "user_id",
            "sampling_correction": False,
            "distinct_items": False,
        },
        batch,
    ),
]
OPTIMIZERS = [
    Row(
        LazyAdam,
        lambda: {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-5, "name": "another_adam"},
    ),
]
