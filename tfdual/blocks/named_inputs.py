"""What a body takes: a tensor, or named vectors that are joined first, in the order of their names."""

from keras import ops

from tfdual._typing import Shape, Tensor
from tfdual.fusion.concat import concatenate
from tfdual.fusion.stack import stack, stack_masks


def as_vector(inputs: Tensor | dict[str, Tensor]) -> Tensor:
    """Named vectors side by side, `(..., sum of widths)`; a tensor passes unchanged."""
    return concatenate(inputs) if isinstance(inputs, dict) else inputs


def vector_shape(shape: Shape | dict[str, Shape]) -> Shape:
    """The shape that `as_vector` gives.

    Raises:
        ValueError: no vector, or one of unknown width.
    """
    shapes = _by_name(shape) if isinstance(shape, dict) else [shape]
    widths = [width for *_, width in shapes if width is not None]
    if len(widths) < len(shapes):
        raise ValueError(f"Vectors need a known width. Received {shape}. Set the last dimension of the input.")
    return (*shapes[0][:-1], sum(widths))


def as_sequence(inputs: Tensor | dict[str, Tensor]) -> Tensor:
    """Named vectors one after another, `(batch, features, dim)`; a tensor passes unchanged."""
    return stack(inputs) if isinstance(inputs, dict) else inputs


def sequence_mask(inputs: Tensor | dict[str, Tensor], mask: Tensor | dict[str, Tensor | None] | None) -> Tensor | None:
    """Which vectors of `as_sequence` are there, bool `(batch, features)`; None: all. Of named ones it may be a dict."""
    if isinstance(mask, dict):
        return stack_masks(mask, sorted(inputs) if isinstance(inputs, dict) else [])
    return None if mask is None else ops.cast(mask, "bool")


def sequence_shape(shape: Shape | dict[str, Shape]) -> tuple[int | None, int, int]:
    """The shape that `as_sequence` gives.

    Raises:
        ValueError: no vector, vectors of different widths, or a size that is not known.
    """
    if isinstance(shape, dict):
        shapes = _by_name(shape)
        if len({width for *_, width in shapes}) > 1:
            raise ValueError(
                f"A sequence of features needs vectors of one width. Received {shape}. Project them first."
            )
        shape = (shapes[0][0], len(shapes), *shapes[0][1:])
    if len(shape) != 3 or shape[1] is None or shape[2] is None:
        raise ValueError(
            "A sequence of features is (batch, features, dim), or a dict of (batch, dim), of known sizes. "
            f"Received {shape}."
        )
    return shape[0], shape[1], shape[2]


def _by_name(shapes: dict[str, Shape]) -> list[Shape]:
    if not shapes:
        raise ValueError("A body needs at least one vector. Received an empty dict.")
    return [shapes[name] for name in sorted(shapes)]
