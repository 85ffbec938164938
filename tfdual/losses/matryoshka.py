"""Any loss at several nested widths at once."""

from collections.abc import Callable, Sequence
from typing import Any

from tfdual._typing import Tensor


def matryoshka(
    loss: Callable[..., Tensor],
    *vectors: Tensor,
    widths: Sequence[int],
    weights: Sequence[float] | None = None,
    **others: Any,
) -> Tensor:
    """The mean of a loss over the first `width` numbers of its vectors, for each of the widths.

    `loss = sum_w c_w * loss(x[:, :w], ...) / sum_w c_w`

    So the first numbers of a vector learn to be a shorter vector. What makes vectors of one length has to stand inside
    `loss`, as in `similarity_distillation`: the parts of a vector of length 1 are shorter.

    Args:
        loss: from vectors to a scalar.
        vectors: `(batch, dim)` each. They are cut.
        widths: sequence of int, rising, the last at most `dim`.
        weights: sequence of float, `c`, at least 0, one a width. Defaults to `None`: all 1.
        others: what the loss takes besides, by name. It isn't cut.

    Returns:
        A scalar.

    Raises:
        ValueError: no vectors; widths that don't rise, or go beyond the vectors'; weights that are not one a width,
            below 0 or all 0.

    Example:
        >>> from keras import ops
        >>> float(matryoshka(ops.sum, ops.convert_to_tensor([[3.0, 4.0]]), widths=[1, 2]))  # (3 + 7) / 2
        5.0

    Reference: Kusupati et al., 2022, "Matryoshka representation learning", arXiv:2205.13147
    """
    if not vectors:
        raise ValueError("matryoshka needs vectors to cut. Received none.")
    check_widths(widths, min(vector.shape[-1] for vector in vectors))
    shares = [1.0] * len(widths) if weights is None else list(weights)
    check_weights(shares, widths)
    terms = [
        share * loss(*(vector[:, :width] for vector in vectors), **others)
        for width, share in zip(widths, shares, strict=True)
        if share
    ]
    return sum(terms) / sum(shares)


def check_widths(widths: Sequence[int], dim: int) -> None:
    """Refuse widths that are not nested.

    Raises:
        ValueError: none, one below 1 or above `dim`, or no rising order.
    """
    if not widths or widths[0] < 1 or widths[-1] > dim or list(widths) != sorted(set(widths)):
        raise ValueError(f"Nested widths rise, from 1 at least to {dim} at most. Received {list(widths)}.")


def check_weights(weights: Sequence[float], widths: Sequence[int]) -> None:
    """Refuse weights that don't belong to the widths.

    Raises:
        ValueError: not one a width, one below 0, or all 0.
    """
    if len(weights) != len(widths) or min(weights) < 0 or not sum(weights) > 0:
        raise ValueError(
            f"Each of the widths {list(widths)} needs a weight of at least 0, and one above. Received {list(weights)}."
        )
