"""Several steps for one column."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import tensorflow as tf

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing.arrow_values import to_arrow, to_tensor
from tfdual.preprocessing.list_slice import ListSlice
from tfdual.preprocessing.transform import Transform
from tfdual.schema import ColumnSchema


@register
class Chain(Transform):
    """One step after the other; a list of transforms is a chain too.

    Rows are read once, so one step may learn: the steps before it run on each batch while it learns. Dense values are
    float64 where the raw column is, until the last step is done, and float32 then.

    Args:
        steps: sequence of `Transform`. A chain among them counts as its steps.

    Raises:
        ValueError: no step; two steps learn; a padded list is not the last step.
        TypeError: a step is no transform.

    Example:
        >>> from tfdual.preprocessing import Clip, Log1p
        >>> column = ColumnSchema("age", dtype="float32")
        >>> chain = Chain([Clip(0, 100), Log1p()])
        >>> chain(column, tf.constant([-5.0, 0.0])).numpy().tolist()
        [0.0, 0.0]
    """

    def __init__(self, steps: Sequence[Transform]) -> None:
        if wrong := [type(step).__name__ for step in steps if not isinstance(step, Transform)]:
            raise TypeError(f"The steps of a chain are transforms. Received {wrong}.")
        self.steps: list[Transform] = [
            part for step in steps for part in (step.steps if isinstance(step, Chain) else [step])
        ]
        if not self.steps:
            raise ValueError("A chain needs at least one step. For values that are ready, use Passthrough().")
        learning = [type(step).__name__ for step in self.steps if step.learns]
        if len(learning) > 1:
            raise ValueError(
                f"The steps {learning} all learn, and the rows are read once: {learning[1]} would have to see what "
                f"{learning[0]} has not learned yet. Keep one of them, or give the other its result as arguments."
            )
        if any(isinstance(step, ListSlice) and step.pad for step in self.steps[:-1]):
            raise ValueError("ListSlice(pad=True) pads with the id 0, so it is the last step. Move it to the end.")

    @property
    def learner(self) -> Transform | None:
        """The step that learns."""
        return next((step for step in self.steps if step.learns), None)

    def shared(self, column: ColumnSchema) -> Transform | None:
        """The step that columns of one domain share: the one that makes ids of `column`, else the one that learns."""
        for step in self.steps:
            before, column = column, step.output(column)
            if column.cardinality not in (None, before.cardinality):
                return step
        return self.learner

    @property
    def learns(self) -> bool:
        return self.learner is not None

    def update(self, column: ColumnSchema, values: pa.Array) -> None:
        """Run the steps before the one that learns, and let it learn from what they give."""
        before = self.steps[: self.steps.index(self.learner)] if self.learner else []
        if before:
            tensor = to_tensor(column, values)
            for step in before:
                column, tensor = step.output(column), step(column, tensor)
            values = to_arrow(tensor)
        if self.learner:
            self.learner.update(column, values)

    def finish(self) -> None:
        """Finish the step that learns."""
        if self.learner:
            self.learner.finish()

    def state(self) -> dict[str, Any]:
        """The state of the step that learns."""
        return self.learner.state() if self.learner else {}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the step that learns."""
        if self.learner:
            self.learner.restore(state)

    @property
    def tables(self) -> list[Any]:
        """The tables of all steps."""
        return [table for step in self.steps for table in step.tables]

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The last step's column."""
        return self.outputs(column)[0]

    def outputs(self, column: ColumnSchema) -> list[ColumnSchema]:
        """The last step's column, then the companions of all steps."""
        companions: list[ColumnSchema] = []
        for step in self.steps:
            column, *more = step.outputs(column)
            companions += more
        return [_float32(column), *companions]

    def __call__(self, column: ColumnSchema, values: Tensor) -> Tensor:
        return self.apply(column, values)[column.name]

    def apply(self, column: ColumnSchema, values: Tensor) -> dict[str, Tensor]:
        """The last step's values and the companions of all steps."""
        ready: dict[str, Tensor] = {}
        for step in self.steps:
            ready |= step.apply(column, values)
            column, values = step.output(column), ready[column.name]
        ready[column.name] = tf.cast(values, _float32(column).dtype)
        return ready


def _float32(column: ColumnSchema) -> ColumnSchema:
    return replace(column, dtype="float32") if column.dtype == "float64" else column
