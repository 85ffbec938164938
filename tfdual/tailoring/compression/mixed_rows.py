"""Vectors between vectors."""

from collections.abc import Mapping

import numpy as np

from tfdual.tailoring.compression.parts import checked_parts, unit


def mixed_rows(vectors: Mapping[str, np.ndarray], rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """More rows to train on: each lies between two of the given ones, nearer to the first.

    `x_i = share * unit(a_i) + (1 - share) * unit(b_i)` in each part `i`, with a share between a half and 1

    A compressor of few rows learns these by heart; of what lies between them it has to learn the rule.

    Args:
        vectors: mapping of part name -> `(any number, width)`.
        rows: int, at least 1. How many to make.
        seed: int. Defaults to 0.

    Returns:
        dict of part name -> `(rows, width)`, float32.

    Raises:
        TypeError, ValueError: as `EmbeddingCompressor.fit`; rows below 1.

    Example:
        >>> mixed_rows({"title": np.eye(3), "body": np.eye(3)}, rows=5)["title"].shape
        (5, 3)

    Reference: Zhang et al., 2018, "mixup: beyond empirical risk minimization", arXiv:1710.09412
    """
    if rows < 1:
        raise ValueError(f"At least 1 row is made. Received rows={rows}.")
    parts = checked_parts(vectors)
    rng = np.random.default_rng(seed)
    first, second = rng.integers(len(next(iter(parts.values()))), size=(2, rows))
    share = rng.uniform(0.5, 1.0, (rows, 1)).astype(np.float32)
    return {name: share * unit(part[first]) + (1 - share) * unit(part[second]) for name, part in parts.items()}
