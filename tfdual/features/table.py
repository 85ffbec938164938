"""What every table of rows is."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
from keras import ops

from tfdual._backend import is_ragged
from tfdual._build import build_once
from tfdual._typing import Shape, Tensor
from tfdual.features.id_check import check_ids
from tfdual.features.initializers import Initializer, check_initializer, initializer_config, initializer_from
from tfdual.features.list_pooling import COMBINERS, UNPOOLED, fitting_weights, pool_padded, pool_ragged
from tfdual.features.sequence_places import last_of_ragged, last_places, take_places
from tfdual.features.vector_files import to_arrow, to_pandas, write_parquet

EXPORTED_AT_A_TIME = 65_536


class Table(keras.layers.Layer):
    """Look ids up; pool the rows where a list has several.

    An id outside `0 .. cardinality - 1` gets row 0, the unknown row. An empty list gives zeros. Rows are looked up and
    pooled in float32. With weights `w` of the rows `x` of a list, `"mean"` is `sum(w x) / sum(w)`, `"sum"` is
    `sum(w x)`, `"sqrtn"` is `sum(w x) / sqrt(sum(w ** 2))`; without them, every `w` is 1; where it would divide by 0,
    it gives zeros. `"max"` takes no weights.

    Args:
        cardinality: int. Ids that it knows, from 0.
        dim: int. Width of a row.
        combiner: str. `"mean"`, `"sum"`, `"sqrtn"` or `"max"`. Defaults to `"mean"`.
        initializer: a Keras initialiser, by name or object. Defaults to `"uniform"`.
        l2: float. Each call adds the loss `l2 * sum(rows ** 2) / batch` of the rows looked up. Defaults to 0: no loss.
    """

    def __init__(
        self,
        cardinality: int,
        dim: int,
        combiner: str = "mean",
        initializer: Initializer = "uniform",
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        if cardinality < 1 or dim < 1:
            raise ValueError(
                f"{type(self).__name__} needs cardinality >= 1 and dim >= 1. Received {cardinality} and {dim}."
            )
        if combiner not in COMBINERS:
            raise ValueError(f"combiner is one of {COMBINERS}. Received {combiner!r}.")
        if not 0 <= l2 < float("inf"):
            raise ValueError(f"l2 is 0 or more. Received {l2}.")
        check_initializer(initializer)
        self.cardinality = cardinality
        self.dim = dim
        self.combiner = combiner
        self.initializer = initializer
        self.l2 = l2
        self.supports_jit = keras.backend.backend() != "tensorflow"  # XLA there: no ragged lists, dense gradients

    @abstractmethod
    def _look_up(self, ids: Tensor) -> Tensor:
        """The rows of ids that are all inside the table, `(..., dim)`, float32."""

    def rows(self, ids: Tensor) -> Tensor:
        """The rows of ids of any shape, `(..., dim)`, float32."""
        build_once(self)
        inside = ops.logical_and(ids >= 0, ids < self.cardinality)
        return self._look_up(ops.where(inside, ids, 0))

    def call(
        self, ids: Tensor, weights: Tensor | None = None, combiner: str | None = None, column_name: str | None = None
    ) -> Tensor:
        """The rows of ids, pooled.

        Args:
            ids: int, `(batch,)`, or ragged `(batch, None)`, or `(batch, length)` padded with 0.
            weights: float, of the shape of ids that are lists. Defaults to `None`: all weigh the same.
            combiner: str. Defaults to `None`: the table's own. With `"none"` lists stay lists: ragged
                `(batch, None, dim)`, or `(batch, length, dim)` with zeros at the padding.
            column_name: str. What the checks call the ids. Defaults to the table's name.
        """
        combiner = self.combiner if combiner is None else combiner
        self._check(ids, combiner, column_name or self.name)
        if weights is not None:
            weights = fitting_weights(ids, weights, combiner, column_name or self.name)
        if is_ragged(ids):
            rows = self._regularized(self.rows(ids.flat_values), ids.nrows())
            if combiner == UNPOOLED:
                return ids.with_flat_values(ops.cast(rows, self.compute_dtype))
            found = pool_ragged(rows, ids, None if weights is None else weights.flat_values, combiner)
        elif len(ids.shape) == 1:
            found = self._regularized(self.rows(ids), ops.shape(ids)[0])
        else:
            found = self._padded(ids, weights, combiner)
        return ops.cast(found, self.compute_dtype)

    def _padded(self, ids: Tensor, weights: Tensor | None, combiner: str) -> Tensor:
        present = ops.not_equal(ids, 0)
        rows = self.rows(ids)
        if combiner == UNPOOLED or self.l2:
            rows = ops.where(present[..., None], rows, 0.0)
        self._regularized(rows, ops.shape(ids)[0])
        return rows if combiner == UNPOOLED else pool_padded(rows, present, weights, combiner)

    def sequence(
        self, ids: Tensor, max_length: int | None = None, column_name: str | None = None
    ) -> tuple[Tensor, Tensor]:
        """The rows of id lists one after another, for a sequence encoder.

        Args:
            ids: int, ragged `(batch, None)`, or `(batch, length)` padded with 0.
            max_length: int. Keep the last `max_length` ids of each list, moved to the front. Defaults to `None`: all,
                where they stand.
            column_name: str. What the checks call the ids. Defaults to the table's name.

        Returns:
            Rows `(batch, length, dim)`, zeros at the padding, and a mask `(batch, length)`, true where there is an id.

        Raises:
            ValueError: ids that are no lists, a `max_length` below 1.
        """
        ids = ids if is_ragged(ids) else ops.convert_to_tensor(ids)
        self._check(ids, UNPOOLED, column_name or self.name)
        if len(ids.shape) == 1:
            raise ValueError("A sequence is made of lists of ids, (batch, length). Received one id a row, (batch,).")
        if max_length is not None and max_length < 1:
            raise ValueError(f"max_length is at least 1. Received {max_length}.")
        if is_ragged(ids):
            ids = last_of_ragged(ids, max_length)
            flat = self._regularized(self.rows(ids.flat_values), ids.nrows())
            rows = ids.with_flat_values(ops.cast(flat, self.compute_dtype)).to_tensor()
            return rows, ids.with_flat_values(ops.ones_like(ids.flat_values, dtype="bool")).to_tensor()
        mask = ops.not_equal(ids, 0)
        if max_length is not None:
            places, mask = last_places(mask, max_length)
            ids = take_places(ids[..., None], places, mask)[..., 0]
        rows = ops.where(mask[..., None], self.rows(ids), 0.0)
        return ops.cast(self._regularized(rows, ops.shape(ids)[0]), self.compute_dtype), mask

    def _regularized(self, rows: Tensor, batch: Tensor) -> Tensor:
        """The rows; their L2 joins the losses."""
        if self.l2:
            batch = ops.maximum(ops.cast(batch, rows.dtype), 1)
            self.add_loss(self.l2 * ops.sum(ops.square(rows)) / batch)
        return rows

    def _check(self, ids: Tensor, combiner: str, column_name: str) -> None:
        if "int" not in keras.backend.standardize_dtype(ids.dtype):
            raise TypeError(
                f"The ids of '{column_name}' must be integers. Received {keras.backend.standardize_dtype(ids.dtype)}. "
                "Map raw values with a `Preprocessor`. Keras casts inputs of no given type to floats: start a model of "
                'its own layers by `keras.Input(shape, dtype="int64")`.'
            )
        if len(ids.shape) not in (1, 2):
            raise ValueError(f"The ids of '{column_name}' are (batch,) or (batch, length). Received {ids.shape}.")
        if combiner not in (*COMBINERS, UNPOOLED):
            raise ValueError(f"combiner is one of {(*COMBINERS, UNPOOLED)}. Received {combiner!r}.")
        check_ids(ids, self.cardinality, column_name)

    def compute_output_spec(
        self, ids: Any, weights: Any = None, combiner: str | None = None, column_name: str | None = None
    ) -> keras.KerasTensor:
        """What Keras asks of a symbolic call."""
        shape = (*ids.shape, self.dim) if combiner == UNPOOLED else self.compute_output_shape(ids.shape)
        return keras.KerasTensor(shape, self.compute_dtype, ragged=combiner == UNPOOLED and ids.ragged)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.dim)

    def to_frame(self, ids: Sequence | np.ndarray | None = None) -> Any:
        """The table as a pandas frame: a column `id`, and a column `embedding` of float32 arrays.

        `numpy.stack(frame["embedding"])` is the matrix.

        Args:
            ids: the raw values of the table's last rows, e.g. `preprocessor.vocabulary("item_id")`; the rows before
                them, of unknown values, have no id. Defaults to `None`: 0, 1, 2, ...

        Raises:
            ImportError: pandas is not installed.
            ValueError: more raw values than rows.
        """
        return to_pandas(self._to_arrow(ids))

    def to_parquet(self, path: str | os.PathLike, ids: Sequence | np.ndarray | None = None) -> None:
        """Write the table to a Parquet file: what `to_frame` gives, `embedding` a list of fixed size.

        It is written aside and renamed, so that nobody reads half of it.

        Args:
            path: the file.
            ids: as in `to_frame`.

        Raises:
            ValueError: more raw values than rows.
        """
        write_parquet(self._to_arrow(ids), Path(path))

    def _to_arrow(self, ids: Sequence | np.ndarray | None) -> pa.Table:
        starts = range(0, self.cardinality, EXPORTED_AT_A_TIME)
        ranges = [np.arange(start, min(start + EXPORTED_AT_A_TIME, self.cardinality)) for start in starts]
        parts = [ops.convert_to_numpy(self.rows(ops.convert_to_tensor(some))) for some in ranges]
        return to_arrow(np.concatenate(parts), ids)

    def differences(self, other: "Table") -> list[str]:
        """What another table was made with in another way, the name and the combiner aside."""
        aside = {"name": "", "combiner": ""}
        ours, theirs = ({"class": type(table).__name__} | table.get_config() | aside for table in (self, other))
        return sorted(key for key in ours | theirs if ours.get(key) != theirs.get(key))

    def get_config(self) -> dict:
        return super().get_config() | {
            "cardinality": self.cardinality,
            "dim": self.dim,
            "combiner": self.combiner,
            "initializer": initializer_config(self.initializer),
            "l2": self.l2,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Table":
        return cls(**config | {"initializer": initializer_from(config["initializer"])})
