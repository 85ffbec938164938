"""What every transform of a column is."""

import contextlib
import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import keras
import pyarrow as pa
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.schema import ColumnSchema


class Transform(ABC):
    """Raw values of a column -> model-ready values; learned from a stream, then a TensorFlow function.

    A transform that learns overrides `update`, `finish`, `state` and `restore`. `update` sees each batch once, `finish`
    comes after the last, and again when more rows were seen. From then on the transform may be called, in `tf.data` or
    in a served graph. Columns of one domain share one transform that learns.

    `__init__` stores each argument under its own name, and a class of yours is registered with
    `keras.saving.register_keras_serializable`, so that `Preprocessor.load` finds it.

    Example:
        >>> @keras.saving.register_keras_serializable("mine")
        ... class Double(Transform):
        ...     def output(self, column):
        ...         return column
        ...     def __call__(self, column, values):
        ...         return 2 * values
        >>> Double()(ColumnSchema("age", dtype="float32"), tf.constant([21.0])).numpy().tolist()
        [42.0]
    """

    @property
    def learns(self) -> bool:
        """Whether `update` must see the rows before the transform works."""
        return type(self).update is not Transform.update

    def update(self, column: ColumnSchema, values: pa.Array) -> None:  # noqa: B027
        """Learn from one batch of `column`; nulls are missing values."""

    def finish(self) -> None:  # noqa: B027
        """Make ready what was learned."""

    def state(self) -> dict[str, Any]:
        """What was learned: plain JSON types and `pa.Table`, for `restore`."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Take back what `state` gave; the transform works at once, and can learn on."""

    @property
    def tables(self) -> list[Any]:
        """TensorFlow resources that a SavedModel of this transform must keep."""
        return []

    @abstractmethod
    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column that `column` becomes. Refuses a column that this transform can't take.

        Raises:
            TypeError: the column is of another kind or dtype.
        """

    @abstractmethod
    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        """The values of `output(column)`, ragged where `values` is."""

    def outputs(self, column: ColumnSchema) -> list[ColumnSchema]:
        """`output(column)`, then the companion columns that come from the same raw column."""
        return [self.output(column)]

    def apply(self, column: ColumnSchema, values: Tensor) -> dict[str, Tensor]:
        """The values of `outputs(column)`, by name."""
        return {column.name: self(column, values)}

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The transform whose `get_config` that was."""
        return cls(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})


@contextlib.contextmanager
def learned_whole(steps: Iterable[Transform]) -> Iterator[list[Transform]]:
    """Let the steps learn in the block; where it stops at an error, they are as they were before."""
    before = [(step, copy.deepcopy(vars(step))) for step in steps]
    try:
        yield [step for step, _ in before]
    except BaseException:
        for step, held in before:
            vars(step).clear()
            vars(step).update(held)
        raise


def on_values(function: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Apply `function` to a tensor, or to the values inside a ragged one."""
    if isinstance(values, tf.RaggedTensor):
        return values.with_flat_values(function(values.flat_values))
    return function(values)


def refusal(transform: Transform, wanted: str, column: ColumnSchema, advice: str) -> TypeError:
    """The error of a column that a transform can't take."""
    shape = f"list[{column.width or ''}] of " if column.is_list else ""
    return TypeError(
        f"{type(transform).__name__} takes {wanted}. Column '{column.name}' is {column.kind}, {shape}{column.dtype}. "
        f"{advice}"
    )
