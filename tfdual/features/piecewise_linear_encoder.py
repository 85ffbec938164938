"""A number -> a vector, by the bins that it has passed."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor


@register
class PiecewiseLinearEncoder(keras.layers.Layer):
    """How far a number has come through each bin; then a Dense layer, where asked for.

    Of the bins `[b_0, b_1), ..., [b_T-1, b_T)`, bin `t` gives 0 below it, 1 above it, and
    `(x - b_t-1) / (b_t - b_t-1)` in it. The first has no floor and the last no ceiling, so that numbers outside differ
    too. It is computed in float32.

    Args:
        boundaries: sequence of float, at least two, rising. See `from_sample`.
        dim: int. Width of a linear layer. Defaults to `None`: no layer, and a width of one less than the boundaries.

    Input: `(batch, 1)`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: boundaries that are too few, not finite, or do not rise in float32; `dim` below 1; an input of
            another width.

    Example:
        >>> encoder = PiecewiseLinearEncoder([0, 10, 20])
        >>> ops.convert_to_numpy(encoder(ops.convert_to_tensor([[5.0], [15.0]]))).tolist()
        [[0.5, 0.0], [1.0, 0.5]]

    Reference: Gorishniy et al., 2022, arXiv:2203.05556
    """

    def __init__(self, boundaries: Sequence[float], dim: int | None = None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        edges = np.asarray(boundaries, np.float32)
        if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
            raise ValueError(f"boundaries are at least two finite numbers that rise. Received {list(boundaries)}.")
        if dim is not None and dim < 1:
            raise ValueError(f"dim is at least 1, or None. Received {dim}.")
        self.boundaries = [float(boundary) for boundary in boundaries]
        self.dim = dim

    @classmethod
    def from_sample(cls, values: Sequence[float] | np.ndarray, num_bins: int, **kwargs: Any) -> Self:
        """An encoder whose bins hold as many values of a sample each, as far as equal values allow.

        Args:
            values: the sample, finite.
            num_bins: int. Bins to aim at; values that are often repeated give fewer.
            **kwargs: `dim`, and other arguments.

        Raises:
            ValueError: `num_bins` is below 1, fewer than two distinct values, or a value that is no number.

        Example:
            >>> PiecewiseLinearEncoder.from_sample([1, 2, 3, 4, 5], num_bins=2).boundaries
            [1.0, 3.0, 5.0]
        """
        if num_bins < 1:
            raise ValueError(f"num_bins is at least 1. Received {num_bins}.")
        sample = np.asarray(values, np.float64).reshape(-1)
        if not np.isfinite(sample).all():
            raise ValueError("The sample holds NaN or infinity. Leave such values out.")
        if len(np.unique(sample.astype(np.float32))) < 2:
            raise ValueError("Bins need at least two distinct values. Received fewer.")
        edges = np.quantile(sample, np.linspace(0, 1, num_bins + 1)).astype(np.float32)
        return cls(np.unique(edges).tolist(), **kwargs)

    def build(self, input_shape: Shape) -> None:
        if input_shape[-1] != 1:
            raise ValueError(f"PiecewiseLinearEncoder takes one number a row, (batch, 1). Received {input_shape}.")
        bins = len(self.boundaries) - 1
        edges = np.asarray(self.boundaries, np.float32)
        self._starts, self._widths = edges[:-1], np.diff(edges)
        self._floors = np.array([-np.inf] + [0] * (bins - 1), np.float32)
        self._ceilings = np.array([1] * (bins - 1) + [np.inf], np.float32)
        if self.dim is not None:
            self.linear = keras.layers.Dense(self.dim, name="linear", dtype=self.dtype_policy)
            build_once(self.linear, (None, bins))

    def call(self, inputs: Tensor) -> Tensor:
        shares = (ops.cast(inputs, "float32") - self._starts) / self._widths  # (batch, bins)
        shares = ops.minimum(ops.maximum(shares, self._floors), self._ceilings)
        shares = ops.cast(shares, self.compute_dtype)
        return shares if self.dim is None else self.linear(shares)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.dim or len(self.boundaries) - 1)

    def get_config(self) -> dict:
        return super().get_config() | {"boundaries": self.boundaries, "dim": self.dim}
