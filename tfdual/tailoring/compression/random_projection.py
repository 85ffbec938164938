"""Random directions."""

from collections.abc import Iterator

import numpy as np

from tfdual.tailoring.compression.projection import Projection


class RandomProjection(Projection):
    """Directions drawn at random, `W_ij ~ N(0, 1 / dim)`, which keep distances in expectation; it learns nothing.

    Args:
        dim: int. Width of the output.
        seed: int. Defaults to 0.

    Input: `(rows, width)`.
    Output: `(rows, dim)`.

    Example:
        >>> RandomProjection(2).fit(np.eye(5)).transform(np.eye(5)).shape
        (5, 2)

    Reference: Johnson and Lindenstrauss, 1984, "Extensions of Lipschitz mappings into a Hilbert space"
    """

    def __init__(self, dim: int, seed: int = 0) -> None:
        super().__init__(dim)
        self.seed = seed

    def _fit(self, blocks: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        (width,) = {block.shape[1] for block in blocks}
        kernel = np.random.default_rng(self.seed).normal(scale=self.dim**-0.5, size=(width, self.dim))
        return np.zeros(width), kernel
