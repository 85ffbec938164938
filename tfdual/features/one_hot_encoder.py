"""Ids -> a vector of zeros and ones."""

from typing import Any

import keras
from keras import ops

from tfdual._backend import is_ragged
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.id_check import check_ids


@register
class OneHotEncoder(keras.layers.Layer):
    """A 1 in the column of each id, and 0 elsewhere.

    An id that a list holds twice counts once. An id outside `0 .. cardinality - 1` counts as 0, the unknown id. An
    empty list gives zeros.

    Args:
        cardinality: int. Ids, from 0.

    Input: int ids, `(batch,)`, or ragged `(batch, None)`, or `(batch, length)` padded with 0.
    Output: `(batch, cardinality)`.

    Raises:
        ValueError: `cardinality` is below 1.

    Example:
        >>> ops.convert_to_numpy(OneHotEncoder(4)(ops.convert_to_tensor([[1, 3, 0]]))).tolist()
        [[0.0, 1.0, 0.0, 1.0]]
    """

    def __init__(self, cardinality: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if cardinality < 1:
            raise ValueError(f"OneHotEncoder needs cardinality >= 1. Received {cardinality}.")
        self.cardinality = cardinality
        self.supports_jit = keras.backend.backend() != "tensorflow"  # XLA there takes no ragged lists

    def call(self, ids: Tensor, column_name: str | None = None) -> Tensor:
        """The vectors; `column_name` is what the check in debug mode calls the ids, by default the layer's name."""
        check_ids(ids, self.cardinality, column_name or self.name)
        if is_ragged(ids):
            known = self._known(ids.flat_values)
            return self._many(known, ids.value_rowids(), ops.ones_like(known), ids.nrows())
        known, batch = self._known(ids), ops.shape(ids)[0]
        if len(ids.shape) == 1:
            return ops.one_hot(known, self.cardinality, dtype=self.compute_dtype)
        lists = ops.zeros_like(known) + ops.arange(batch, dtype=known.dtype)[:, None]
        present = ops.cast(ops.not_equal(ids, 0), known.dtype)
        flat, lists, present = (ops.reshape(values, (-1,)) for values in (known, lists, present))
        return self._many(flat, lists, present, batch)

    def _known(self, ids: Tensor) -> Tensor:
        ids = ops.cast(ids, "int64")
        inside = ops.logical_and(ids >= 0, ids < self.cardinality)
        return ops.where(inside, ids, ops.zeros_like(ids))

    def _many(self, ids: Tensor, lists: Tensor, present: Tensor, batch: Tensor) -> Tensor:
        """Vectors of lists, of which `ids` has a value for each entry, and `lists` the list that it is in."""
        places = ops.cast(lists, ids.dtype) * self.cardinality + ids
        counts = ops.segment_sum(present, places, batch * self.cardinality)
        return ops.cast(ops.reshape(counts > 0, (-1, self.cardinality)), self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.cardinality)

    def get_config(self) -> dict:
        return super().get_config() | {"cardinality": self.cardinality}
