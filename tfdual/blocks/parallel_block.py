"""Branches side by side."""

from collections.abc import Mapping
from typing import Any

import keras

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor


@register
class ParallelBlock(keras.layers.Layer):
    """Apply named branches to the same input, and fuse what they give.

    Args:
        branches: mapping of name -> Keras layer, at least one.
        aggregation: a fusion, i.e. a layer that takes a dict of vectors. Defaults to `None`: the dict is the output.

    Input: what each branch takes.
    Output: what the fusion gives; without one, a dict of name -> the branch's output.

    Raises:
        ValueError: there is no branch.

    Example:
        >>> from tfdual.fusion import ConcatFusion
        >>> branches = {"wide": keras.layers.Dense(2), "deep": keras.layers.Dense(4)}
        >>> tuple(ParallelBlock(branches, aggregation=ConcatFusion())(keras.ops.ones((3, 5))).shape)
        (3, 6)
    """

    def __init__(
        self, branches: Mapping[str, keras.layers.Layer], aggregation: keras.layers.Layer | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not branches:
            raise ValueError("ParallelBlock needs at least one branch. Received none.")
        self.branches = dict(branches)
        self.aggregation = aggregation

    def build(self, input_shape: Shape | dict[str, Shape]) -> None:
        for branch in self.branches.values():
            build_once(branch, input_shape)
        if self.aggregation is not None:
            build_once(self.aggregation, self._branch_shapes(input_shape))

    def call(self, inputs: Tensor) -> Tensor | dict[str, Tensor]:
        outputs = {name: branch(inputs) for name, branch in self.branches.items()}
        return outputs if self.aggregation is None else self.aggregation(outputs)

    def compute_output_shape(self, input_shape: Shape | dict[str, Shape]) -> Shape | dict[str, Shape]:
        shapes = self._branch_shapes(input_shape)
        return shapes if self.aggregation is None else self.aggregation.compute_output_shape(shapes)

    def _branch_shapes(self, input_shape: Shape | dict[str, Shape]) -> dict[str, Shape]:
        return {name: branch.compute_output_shape(input_shape) for name, branch in self.branches.items()}

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return super().get_config() | {
            "branches": {name: serialize(branch) for name, branch in self.branches.items()},
            "aggregation": None if self.aggregation is None else serialize(self.aggregation),
        }

    @classmethod
    def from_config(cls, config: dict) -> "ParallelBlock":
        config = dict(config)
        deserialize = keras.saving.deserialize_keras_object
        branches = {name: deserialize(branch) for name, branch in config.pop("branches").items()}
        aggregation = config.pop("aggregation")
        return cls(branches, None if aggregation is None else deserialize(aggregation), **config)
