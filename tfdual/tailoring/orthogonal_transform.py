"""Query vectors, rotated."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.tailoring.query_transform import QueryTransform, product


@register
class OrthogonalTransform(QueryTransform):
    """Rotate the query: lengths and angles between queries stay as they are.

    `out = query @ inverse(I + S) @ (I - S)`, with `S = residual - transpose(residual)`, which is Cayley's map

    Each step solves a linear system of the width, with keys one for each query of the batch: few keys, narrow vectors.

    Args:
        keys: int. See `QueryTransform`. Defaults to `None`: one map for all.
        l2: float. Pulls the map to the identity. Defaults to 0.

    Input: queries `(batch, dim)`; with keys, their ids `(batch,)` as `key`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: fewer than 2 keys, a negative `l2`; a key is missing, or given to a map that has none.

    Example:
        >>> from keras import ops
        >>> OrthogonalTransform()(ops.convert_to_tensor([[3.0, 4.0]])).numpy().tolist()  # not trained yet
        [[3.0, 4.0]]

    Reference: Helfrich et al., 2018, arXiv:1707.09520
    """

    def shapes(self, dim: int) -> dict[str, tuple[int, ...]]:
        """What the rotation is made of."""
        return {"residual": (dim, dim)}

    def transform(self, query: Tensor, weights: dict[str, Tensor]) -> Tensor:
        """Rotate, in float32: the inverse needs it."""
        residual = ops.cast(weights["residual"], "float32")
        skew = residual - ops.swapaxes(residual, -1, -2)
        identity = ops.broadcast_to(ops.eye(self.dim, dtype="float32"), ops.shape(skew))
        rotation = ops.solve(identity + skew, identity - skew)
        return product(query, ops.cast(rotation, query.dtype))
