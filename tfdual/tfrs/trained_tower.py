"""A trained tower of TensorFlow Recommenders, with the raw columns that it takes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import Schema
from tfdual.serving import ServedTower
from tfdual.serving.raw_input import tensor_spec
from tfdual.tfrs.legacy_keras import check_keras

Columns = dict[str, Tensor]
ADVICE = (
    "Let its schema name the raw columns that it reads, and those alone; as_dict=True gives a tower of one column a "
    "dict. Of a model that holds both towers, pass one of these, such as its `query_model`."
)
KEPT = (tf.Variable, tf.saved_model.experimental.TrackableResource, tf.saved_model.Asset)


@dataclass(frozen=True)
class TrainedTower:
    """A tower as it was trained; its lookups and text layers are part of it, so it takes raw values.

    Args:
        tower: a `tf_keras` layer or model, a `tf.Module` with `__call__`, or what `tf.saved_model.load` gave of either.
            It is called without `training`.
        schema: Schema. The raw columns that it takes. Lists come as RaggedTensor, or as `(batch, width)` where the
            schema says a width.
        as_dict: bool. Whether it takes a dict of column name -> tensor, or the one column's tensor itself. Defaults to
            `None`: the tensor where the schema has one column, else the dict.

    Output: floats, `(batch, dim)`.

    Raises:
        TypeError: the tower can't be called; it is a plain function, whose variables nobody knows; it is of Keras 3.
        ValueError: no column; several columns and `as_dict=False`.
        RuntimeError: a Keras tower where legacy Keras isn't switched on.
        ImportError: a Keras tower, and `tf_keras` is not installed (extra `tfrs`).

    Example:
        >>> class Tower(tf.Module):
        ...     def __init__(self):
        ...         self.table = tf.Variable([[0.0, 1.0], [2.0, 3.0]])
        ...
        ...     def __call__(self, users):
        ...         return tf.gather(self.table, users)
        >>> tower = TrainedTower(Tower(), Schema(["user"]))
        >>> tower.encode({"user": tf.constant([1])}).numpy().tolist()
        [[2.0, 3.0]]
    """

    tower: Any
    schema: Schema
    as_dict: bool | None = None

    def __post_init__(self) -> None:
        kind, names = type(self.tower).__name__, self.schema.column_names
        if not callable(self.tower):
            raise TypeError(
                f"A tower is called with raw columns. A {kind} can't be called; of a saved model, pass one that was "
                "saved with its `__call__`."
            )
        if not isinstance(self.tower, tf.__internal__.tracking.Trackable):
            raise TypeError(
                f"A tower is a tf_keras layer, a tf.Module, or loaded by tf.saved_model.load. Of a {kind}, variables "
                "and lookup tables can't be found, so that it can't be exported. Put it into the `__call__` of a "
                "tf.Module that has what it uses as attributes."
            )
        if not names:
            raise ValueError("A tower takes at least one raw column. Received an empty schema.")
        if len(names) > 1 and self.as_dict is False:
            raise ValueError(f"A tower of several columns takes them as a dict. Received {names} and as_dict=False.")
        check_keras(self.tower)

    @property
    def takes_dict(self) -> bool:
        """Whether the tower is called with a dict."""
        return len(self.schema) > 1 if self.as_dict is None else self.as_dict

    @cached_property
    def _traced(self) -> Callable[[Tensor | Columns], Any]:
        """The tower as a function with AutoGraph, which layers with an `if` on a tensor need."""

        def call(inputs: Tensor | Columns) -> Any:
            return self.tower(inputs)

        return tf.function(call, reduce_retracing=True)

    def encode(self, columns: Columns) -> Tensor:
        """Raw columns, lists ragged -> `(batch, dim)`.

        Raises:
            ValueError: the tower gives anything else, or can't be called with these columns.
        """
        inputs = {name: columns[name] for name in self.schema.column_names}
        output = self._called(inputs if self.takes_dict else inputs[self.schema.first.name])
        if not isinstance(output, tf.Tensor) or not output.dtype.is_floating or output.shape.rank not in (2, None):
            shown = f"{output.dtype.name} {output.shape}" if isinstance(output, tf.Tensor) else type(output).__name__
            raise ValueError(
                f"A tower gives one vector of floats a row, (batch, dim). The one of {self.schema.column_names} gave "
                f"{shown}. Flatten or pool its output."
            )
        return output

    def _called(self, inputs: Tensor | Columns) -> Any:
        try:
            return self._traced(inputs)
        except tf.errors.OpError:  # of values, not of columns
            raise
        except Exception as error:
            raise ValueError(f"The tower can't be called {self._given()}. {ADVICE}") from error

    def _given(self) -> str:
        names = self.schema.column_names
        return f"with a dict of {names}" if self.takes_dict else f"with the tensor of '{names[0]}'"

    def width(self) -> int | None:
        """Width of the embeddings, or None where the tower's graph doesn't tell.

        Raises:
            ValueError: the tower gives no `(batch, dim)`; it reads variables that are no attributes of it.
        """
        specs = {column.name: tensor_spec(column) for column in self.schema}
        traced = tf.function(self.served().embed, autograph=False).get_concrete_function(specs)
        known = {variable.ref() for variable in self.variables}
        if unseen := [variable.name for variable in traced.variables if variable.ref() not in known]:
            raise ValueError(
                f"The tower of {self.schema.column_names} reads the variables {unseen}, which are no attributes of it "
                "or of its layers: they would be missing from an export. Assign what holds them to an attribute."
            )
        return traced.structured_outputs.shape[-1] if traced.structured_outputs.shape.rank else None

    @property
    def resources(self) -> list[Any]:
        """The variables, lookup tables and files that it holds."""
        return [held for held in tf.train.TrackableView(self.tower).descendants() if isinstance(held, KEPT)]

    @property
    def variables(self) -> list[tf.Variable]:
        """The variables that it holds."""
        return [held for held in self.resources if isinstance(held, tf.Variable)]

    def embedding_space(self) -> str:
        """A name of the space that its embeddings lie in, by its weights; `""` where it has none.

        The weights decide, not their names: a tower that was saved and loaded is of the same space.
        """
        digests = []
        for variable in self.variables:
            values = np.ascontiguousarray(variable.numpy())
            content = values.tobytes() if values.dtype != object else repr(values.tolist()).encode()
            kind = repr((variable.dtype.name, values.shape)).encode()
            digests.append(hashlib.sha256(kind + content).digest())
        return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16] if digests else ""

    def served(self, space: str = "", dim: int | None = None) -> ServedTower:
        """The tower for a served graph, such as another query tower: `retriever.with_query_tower("b", tower)`.

        Args:
            space: str. What `embedding_space()` of the item tower gave. Defaults to `""`: not known.
            dim: int. The width that its embeddings must have. Defaults to `None`: any.
        """

        def encode(columns: Columns) -> Tensor:
            return tf.ensure_shape(self.encode(columns), [None, dim])

        return ServedTower(self.schema, dict, encode, self.resources, space)
