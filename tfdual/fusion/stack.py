"""Many vectors of one width, one below the other."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.fusion.named_vectors import batch_size, checked_one_width, ordered


def stack(inputs: Mapping[str, Tensor], names: Sequence[str] | None = None) -> Tensor:
    """Named vectors as `(batch, features, dim)`, in the order of their names; `names`: see `ordered`."""
    return ops.stack(ordered(inputs, names), axis=1)


def stack_masks(mask: Mapping[str, Tensor | None] | None, names: Sequence[str]) -> Tensor | None:
    """Which features are there, bool `(batch, features)`, in this order; None: all.

    Args:
        mask: name -> bool `(batch,)`. Features that it lacks, or has None for, as Keras fills it, are there.
        names: of the features.

    Raises:
        TypeError: it is no dict.
        ValueError: a name that is not there; not one bool a row.
    """
    if mask is None:
        return None
    if not isinstance(mask, Mapping):
        raise TypeError(f"mask is a dict of name -> bool (batch,). Received a {type(mask).__name__}.")
    if unknown := sorted(set(mask) - set(names)):
        raise ValueError(f"mask has the names {unknown}. The vectors are {list(names)}.")
    given = {name: ops.cast(one, "bool") for name, one in mask.items() if one is not None}
    if not given:
        return None
    if any(len(present.shape) != 1 for present in given.values()):
        shapes = {name: tuple(present.shape) for name, present in given.items()}
        raise ValueError(f"Each mask is (batch,), one bool a row. Received shapes {shapes}.")
    never_missing = ops.ones_like(next(iter(given.values())))
    return ops.stack([given.get(name, never_missing) for name in names], axis=1)


@register
class StackFusion(keras.layers.Layer):
    """Stack named vectors on a new axis, in the order of their names.

    Input: dict of name -> `(batch, dim)`, all with one `dim`.
    Output: `(batch, features, dim)`.

    Raises:
        TypeError: the input is no dict.
        ValueError: there is no input, one is no vector, or the inputs differ in width.

    Example:
        >>> y = StackFusion()({"b": ops.zeros((1, 2)), "a": ops.ones((1, 2))})
        >>> ops.convert_to_numpy(y).tolist()
        [[[1.0, 1.0], [0.0, 0.0]]]
    """

    def build(self, input_shape: dict[str, Shape]) -> None:
        checked_one_width(self, input_shape)

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        return stack(inputs)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        widths = checked_one_width(self, input_shape)
        return (batch_size(input_shape), len(widths), next(iter(widths.values())))
