"""Some of the inputs."""

from collections.abc import Sequence
from typing import Any

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block
from tfdual.schema import Schema


@register
class Filter(Block):
    """Pass on the named entries of a dict, or all but these.

    Args:
        columns: sequence of names, or a Schema.
        exclude: bool. Pass on all the others instead. Defaults to `False`.

    Input: dict of name -> tensor.
    Output: dict of name -> tensor, the same tensors.

    Raises:
        ValueError: no name, or the input lacks one of them.

    Example:
        >>> from keras import ops
        >>> sorted(Filter(["age"], exclude=True)({"age": ops.ones(1), "zip": ops.ones(1)}))
        ['zip']
    """

    def __init__(self, columns: Sequence[str] | Schema, exclude: bool = False, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if isinstance(columns, str) or not len(columns):
            raise ValueError(f"Filter needs a list of at least one name, or a Schema. Received {columns!r}.")
        self.columns = columns.column_names if isinstance(columns, Schema) else list(columns)
        self.exclude = exclude

    @classmethod
    def from_schema(cls, schema: Schema, tags: Any = None, **kwargs: Any) -> "Filter":
        """A filter for the columns of a schema, or for those with any of these tags."""
        return cls(schema if tags is None else schema.select_by_tag(tags), **kwargs)

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return self._selected(inputs)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> dict[str, Shape]:
        return self._selected(input_shape)

    def _selected(self, inputs: dict[str, Any]) -> dict[str, Any]:
        if missing := [name for name in self.columns if name not in inputs]:
            raise ValueError(f"The input lacks {missing}. It has {sorted(inputs)}.")
        return {name: value for name, value in inputs.items() if (name in self.columns) != self.exclude}

    def get_config(self) -> dict:
        return super().get_config() | {"columns": list(self.columns), "exclude": self.exclude}
