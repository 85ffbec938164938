"""Query vectors times a matrix."""

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.tailoring.query_transform import QueryTransform, product


@register
class LinearTransform(QueryTransform):
    """Add to the query what a whole matrix makes of it.

    `out = query + query @ residual`

    It has `dim ** 2` weights, with keys as many for each: few keys, or `LowRankTransform`.

    Args:
        keys: int. See `QueryTransform`. Defaults to `None`: one map for all.
        l2: float. Pulls the map to the identity. Defaults to 0.

    Input: queries `(batch, dim)`; with keys, their ids `(batch,)` as `key`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: fewer than 2 keys, a negative `l2`; a key is missing, or given to a map that has none.

    Example:
        >>> from keras import ops
        >>> LinearTransform()(ops.convert_to_tensor([[3.0, 4.0]])).numpy().tolist()  # not trained yet
        [[3.0, 4.0]]
    """

    def shapes(self, dim: int) -> dict[str, tuple[int, ...]]:
        """The matrix."""
        return {"residual": (dim, dim)}

    def transform(self, query: Tensor, weights: dict[str, Tensor]) -> Tensor:
        """Add the product."""
        return query + product(query, weights["residual"])
