"""Principal component analysis."""

from collections.abc import Iterator

import numpy as np

from tfdual.tailoring.compression.projection import Projection


class PCA(Projection):
    """The directions in which the vectors differ most, the first the most.

    `W` holds the eigenvectors of the covariance with the largest eigenvalues. Blocks of vectors are added up to a
    matrix of `(width, width)`, so that memory doesn't grow with the rows.

    Args:
        dim: int. Width of the output.
        center: bool. Whether the mean is subtracted. Without it, inner products of the vectors are kept as well as a
            matrix can. Defaults to `True`.

    Input: `(rows, width)`.
    Output: `(rows, dim)`.

    Example:
        >>> vectors = np.array([[3.0, 0.1], [-3.0, 0.1], [1.0, 0.1]])
        >>> PCA(1, center=False).fit(vectors).transform(vectors).round(1).tolist()
        [[3.0], [-3.0], [1.0]]

    Reference: Hotelling, 1933, "Analysis of a complex of statistical variables into principal components"
    """

    def __init__(self, dim: int, center: bool = True) -> None:
        super().__init__(dim)
        self.center = center

    def _fit(self, blocks: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        rows, total, products = 0, np.zeros(()), np.zeros(())
        for block in blocks:
            rows, total, products = rows + len(block), total + block.sum(axis=0), products + block.T @ block
        if rows < self.dim:
            raise ValueError(f"{self.dim} directions are found in as many vectors or more. Received {rows}.")
        mean = total / rows if self.center else np.zeros_like(total)
        _, directions = np.linalg.eigh(products / rows - np.outer(mean, mean))
        kernel = directions[:, ::-1][:, : self.dim]
        largest = np.take_along_axis(kernel, np.abs(kernel).argmax(axis=0)[None], axis=0)
        return mean, kernel * np.sign(largest)
