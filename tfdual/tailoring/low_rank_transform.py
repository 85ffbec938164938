"""Query vectors and a correction of low rank."""

from typing import Any

import keras

from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.tailoring.query_transform import QueryTransform, product


@register
class LowRankTransform(QueryTransform):
    """Add to the query what a matrix of low rank makes of it.

    `out = query + (query @ down) @ up`

    `down` is random at the start and shared by all keys; `up` is zero at the start, and a key has its own. So a key
    costs `rank * dim` weights, and the map `2 * rank * dim`.

    Args:
        rank: int. Defaults to 16.
        keys: int. See `QueryTransform`. Defaults to `None`: one map for all.
        l2: float. Pulls `up` to zero, and the map to the identity. Defaults to 0.
        seed: int. Of `down`. Defaults to `None`.

    Input: queries `(batch, dim)`; with keys, their ids `(batch,)` as `key`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: a rank below 1, or not below the width; fewer than 2 keys, a negative `l2`; a key is missing, or
            given to a map that has none.

    Example:
        >>> from keras import ops
        >>> LowRankTransform(rank=1)(ops.convert_to_tensor([[3.0, 4.0]])).numpy().tolist()  # not trained yet
        [[3.0, 4.0]]

    Reference: Hu et al., 2021, arXiv:2106.09685
    """

    def __init__(
        self, rank: int = 16, keys: int | None = None, l2: float = 0.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(keys, l2, **kwargs)
        if rank < 1:
            raise ValueError(f"rank is 1 or more. Received {rank}.")
        self.rank = rank
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if self.rank >= self.dim:
            raise ValueError(
                f"A rank of {self.rank} is no less than the width {self.dim} of the queries. Lower it, or use "
                "`LinearTransform`."
            )
        start = keras.initializers.Orthogonal(seed=self.seed)
        self.down = self.add_weight((self.dim, self.rank), initializer=start, name="down")

    def shapes(self, dim: int) -> dict[str, tuple[int, ...]]:
        """The way back to the width."""
        return {"up": (self.rank, dim)}

    def transform(self, query: Tensor, weights: dict[str, Tensor]) -> Tensor:
        """Add the products."""
        return query + product(product(query, self.down), weights["up"])

    def get_config(self) -> dict:
        return super().get_config() | {"rank": self.rank, "seed": self.seed}
