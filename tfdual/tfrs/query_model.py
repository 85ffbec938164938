"""A tower of ours as the `query_model` of TensorFlow Recommenders' layers."""

from collections.abc import Mapping

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import Schema
from tfdual.serving import ServedTower
from tfdual.serving.raw_input import to_ragged


class QueryModel(tf.Module):
    """Raw query columns -> embeddings, with all that a SavedModel must keep.

    `tfrs.layers.factorized_top_k.BruteForce(query_model=QueryModel(model.to_query_tower(preprocessor)))`, and so with
    `ScaNN` and `Streaming`. A lambda would do for calls; a layer that holds one can't be saved.

    Args:
        tower: ServedTower. What `model.to_query_tower(preprocessor)` gives.

    Input: dict of raw column name -> `(batch,)`, `(batch, width)`, or ragged lists, which may also be padded with `""`,
        -1 or NaN; the tensor itself where there is one column.
    Output: float32 `(batch, dim)`.

    Raises:
        TypeError: the tower is no `ServedTower`.
        ValueError: in a call, columns are missing.

    Example:
        >>> from tfdual.schema import ColumnSchema
        >>> schema = Schema([ColumnSchema("user", dtype="float32")])
        >>> tower = ServedTower(schema, dict, lambda columns: tf.stack([columns["user"]] * 2, axis=1), [])
        >>> QueryModel(tower)({"user": tf.constant([7.0])}).numpy().tolist()
        [[7.0, 7.0]]
    """

    def __init__(self, tower: ServedTower) -> None:
        super().__init__()
        if not isinstance(tower, ServedTower):
            raise TypeError(
                f"A query model is made of `model.to_query_tower(preprocessor)`. Received {type(tower).__name__}."
            )
        self.tower = tower
        self.resources = list(tower.resources)

    def __call__(self, queries: Tensor | Mapping[str, Tensor]) -> Tensor:
        schema = self.tower.schema
        given = dict(queries) if isinstance(queries, Mapping) else {schema.first.name: queries}
        if lacking := [name for name in schema.column_names if name not in given]:
            raise ValueError(f"The queries lack the columns {lacking}. The tower takes {schema.column_names}.")
        columns = {name: given[name] for name in schema.column_names}
        padded = [column for column in schema if not isinstance(columns[column.name], tf.RaggedTensor)]
        ready = self.tower.prepare(to_ragged(columns, Schema(padded)))
        return tf.cast(self.tower.encode(ready), tf.float32)
