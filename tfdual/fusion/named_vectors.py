"""What every fusion asks of its input: a dict of name -> `(batch, width)`, walked in the order of the names."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from tfdual._typing import Shape, Tensor


def checked_widths(layer: keras.layers.Layer, shapes: Mapping[str, Shape] | None) -> dict[str, int]:
    """Width of each vector, in the order of the names.

    Raises:
        TypeError: not a dict.
        ValueError: an empty dict, or a tensor that is no `(batch, width)` of known width.
    """
    cls = type(layer).__name__
    if not shapes:  # Keras gives None for an empty dict
        raise ValueError(f"{cls} needs at least one vector. Received an empty dict.")
    if not isinstance(shapes, Mapping):
        raise TypeError(
            f"{cls} needs a dict of name -> (batch, width). Received a value of shape {shapes}. "
            'Name the vectors, e.g. {"user": x, "item": y}.'
        )
    if any(shape is None or len(shape) != 2 or shape[-1] is None for shape in shapes.values()):
        raise ValueError(
            f"{cls} needs vectors of shape (batch, width), each width known. Received shapes {dict(shapes)}. "
            "Give a number a last axis with `keras.ops.expand_dims(x, -1)`; pool or flatten what has more axes."
        )
    return {name: int(shapes[name][-1] or 0) for name in sorted(shapes)}


def checked_one_width(layer: keras.layers.Layer, shapes: Mapping[str, Shape] | None) -> dict[str, int]:
    """The same, where all widths must be equal.

    Raises:
        TypeError, ValueError: as `checked_widths`.
        ValueError: the widths differ.
    """
    widths = checked_widths(layer, shapes)
    if len(set(widths.values())) != 1:
        raise ValueError(
            f"{type(layer).__name__} needs inputs of one width. Received widths {widths}. "
            "Give them one width in `EmbeddingOptions`, or project them first."
        )
    return widths


def ordered(inputs: Mapping[str, Tensor], names: Sequence[str] | None = None) -> list[Tensor]:
    """The vectors in the order of their names.

    Args:
        inputs: mapping of name -> vector.
        names: sequence of str. The sorted names that the weights of a layer belong to; the input must have these and
            no others. Defaults to `None`: those of the input.

    Raises:
        TypeError: not a dict.
        ValueError: other names than `names`.
    """
    if not isinstance(inputs, Mapping):
        raise TypeError(f"A fusion needs a dict of name -> (batch, width). Received a {type(inputs).__name__}.")
    found = sorted(inputs)
    if names is not None and found != list(names):
        raise ValueError(
            f"The weights of this fusion belong to the vectors {list(names)}. Received {found}. "
            "Give it the vectors that it was built with, or make a new one."
        )
    return [inputs[name] for name in found]


def batch_size(shapes: Mapping[str, Shape]) -> int | None:
    """The first axis of the vectors."""
    return next(iter(shapes.values()))[0]


def one_vector_shape(layer: keras.layers.Layer, shapes: Mapping[str, Shape]) -> Shape:
    """`(batch, dim)` where all have one width."""
    return (batch_size(shapes), next(iter(checked_one_width(layer, shapes).values())))


def check_positive_integer(layer: keras.layers.Layer, argument: str, value: Any) -> None:
    """Raise ValueError unless `value` is an integer of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{type(layer).__name__} needs an integer {argument} >= 1. Received {value!r}.")
