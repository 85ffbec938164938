"""Adagrad with one number a row of a table."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.optimizers.lazy_optimizer import LazyOptimizer


@register
class RowwiseAdagrad(LazyOptimizer):
    """Adagrad that keeps one accumulator for each row of a table: its state is a number a row, not a second table.

    `a = a + mean(g^2)` over the row, `w = w - learning_rate * g / sqrt(a + epsilon)`.

    A variable is a table if it has two axes or more and its path matches `tables`; the path is what `variable.path`
    says, e.g. `model/features/user_id_table/embeddings`. All others are updated element by element, as by Keras's
    `Adagrad`, which this also equals for a table of width 1. In both, a sparse gradient (`tf.IndexedSlices`) touches
    the looked-up rows alone. `LazyOptimizer` says what Keras's arguments do.

    Args:
        learning_rate: float or schedule. Defaults to 0.001. Tables often want more, e.g. 0.1.
        initial_accumulator_value: float, 0 or more. What accumulators start from. Defaults to 0.1.
        epsilon: float. Defaults to 1e-7.
        tables: str. A pattern of the paths of tables, in which `*` stands for any letters, also for `/`. Defaults to
            "*/embeddings", as Keras's `Embedding` and the tables of columns in this library call their weight. That of
            a text encoder's tokens is `"*/tokens"`.

    Raises:
        ValueError: `initial_accumulator_value` is below 0.

    Example:
        >>> table, kernel = keras.layers.Embedding(9, 4), keras.Variable(ops.ones((4, 2)))
        >>> table.build()
        >>> optimizer = RowwiseAdagrad(0.1)
        >>> optimizer.build([table.embeddings, kernel])
        >>> [tuple(variable.shape) for variable in optimizer.variables[2:]]
        [(9, 1), (4, 2)]

    Reference: Duchi et al., 2011; `EXACT_ROWWISE_ADAGRAD` of FBGEMM; Mudigere et al., 2022, arXiv:2104.05158. FBGEMM
    adds `epsilon` after the root and starts from 0; here both are as in Keras.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        tables: str = "*/embeddings",
        name: str = "rowwise_adagrad",
        **kwargs: Any,
    ) -> None:
        if initial_accumulator_value < 0:
            raise ValueError(
                "initial_accumulator_value must be 0 or more: roots are taken of accumulators. "
                f"Received initial_accumulator_value={initial_accumulator_value}. Take e.g. 0.1."
            )
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon
        self.tables = tables

    def add_slots(self, variables: list[keras.Variable]) -> Sequence[list[keras.Variable]]:
        return [[self._add_accumulator(variable) for variable in variables]]

    def _add_accumulator(self, variable: keras.Variable) -> keras.Variable:
        initializer = keras.initializers.Constant(self.initial_accumulator_value)
        if not (len(variable.shape) > 1 and fnmatchcase(variable.path, self.tables)):
            return self.add_optimizer_variables([variable], "accumulator", initializer)[0]
        return self.add_variable(
            shape=(variable.shape[0], *(1 for _ in variable.shape[1:])),
            initializer=initializer,
            dtype=variable.dtype,
            name=f"{variable.path.replace('/', '_')}_accumulator",
        )

    def updated(self, value: Tensor, slots: list[Tensor], gradient: Tensor, rate: Tensor) -> tuple[Tensor, ...]:
        squares = ops.square(gradient)
        if slots[0].shape[1:] != value.shape[1:]:
            squares = ops.mean(squares, axis=tuple(range(1, len(value.shape))), keepdims=True)
        accumulator = slots[0] + squares
        return value - rate * gradient / ops.sqrt(accumulator + self.epsilon), accumulator

    def get_config(self) -> dict:
        return super().get_config() | {
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
            "tables": self.tables,
        }
