"""What a search gives."""

from typing import NamedTuple

from tfdual._typing import Tensor


class Neighbours(NamedTuple):
    """The items found for each query, best first.

    Args:
        ids: int64 or string, `(batch, k)`; -1 or `""` at places that nothing is left for.
        scores: float32 `(batch, k)`; -inf at such places. Higher is better, whatever the distance.
    """

    ids: Tensor
    scores: Tensor
