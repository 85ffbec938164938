"""Query vectors, each dimension scaled."""

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.tailoring.query_transform import QueryTransform


@register
class ScaleTransform(QueryTransform):
    """Scale each dimension by a weight of its own: how much it matters to the task.

    `out = (1 + scale) * query`

    Args:
        keys: int. See `QueryTransform`. Defaults to `None`: one map for all.
        l2: float. Pulls the map to the identity. Defaults to 0.

    Input: queries `(batch, dim)`; with keys, their ids `(batch,)` as `key`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: fewer than 2 keys, a negative `l2`; a key is missing, or given to a map that has none.

    Example:
        >>> from keras import ops
        >>> ScaleTransform()(ops.convert_to_tensor([[3.0, 4.0]])).numpy().tolist()  # not trained yet
        [[3.0, 4.0]]
    """

    def shapes(self, dim: int) -> dict[str, tuple[int, ...]]:
        """The scale."""
        return {"scale": (dim,)}

    def transform(self, query: Tensor, weights: dict[str, Tensor]) -> Tensor:
        """Scale."""
        return query + weights["scale"] * query
