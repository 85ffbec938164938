"""A query's vector, moved to where its items are."""

import math
from abc import abstractmethod
from typing import Any

import keras
import numpy as np
from keras import ops

from tfdual._build import build_once
from tfdual._typing import Shape, Tensor
from tfdual.features import EmbeddingTable


class QueryTransform(keras.layers.Layer):
    """A linear map of query vectors that begins as the identity, so that training starts from what the vectors do.

    With keys, such as segments or users, each has weights of its own beside those that all share:
    `weights = shared + of_key`, and an unknown key, 0, has the shared ones.

    A subclass says which weights it has, and what they do; where all that start at 0 are 0, it gives its input.

    Args:
        keys: int. Ids of keys, `0 .. keys - 1`. Defaults to `None`: one map for all.
        l2: float. Pulls the map to the identity: adds `l2 * sum(shared ** 2)` to the loss, and `l2` times the mean over
            the batch of `sum(of_key ** 2)`. Defaults to 0.

    Input: queries `(batch, dim)`; with keys, their ids `(batch,)` as `key`.
    Output: `(batch, dim)`.

    Raises:
        ValueError: fewer than 2 keys, a negative `l2`; a key is missing, or given to a map that has none.
    """

    def __init__(self, keys: int | None = None, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if keys is not None and keys < 2:
            raise ValueError(f"A transform for each key has 2 keys or more: 0 is every unknown one. Received {keys}.")
        if not l2 >= 0:
            raise ValueError(f"l2 is 0 or more. Received {l2}.")
        self.keys = keys
        self.l2 = l2

    @abstractmethod
    def shapes(self, dim: int) -> dict[str, tuple[int, ...]]:
        """The weights that start at 0, for vectors of this width."""

    @abstractmethod
    def transform(self, query: Tensor, weights: dict[str, Tensor]) -> Tensor:
        """What becomes of the queries.

        Args:
            query: `(batch, dim)`.
            weights: those of `shapes`; with keys, a row for each query: `(batch, ...)`.
        """

    def build(self, input_shape: Shape) -> None:
        if (dim := input_shape[-1]) is None:
            raise ValueError(f"A transform needs queries of known width. Received the shape {input_shape}.")
        self.dim = dim
        shapes = self.shapes(dim)
        decay = keras.regularizers.L2(self.l2) if self.l2 else None
        self.shared = {
            name: self.add_weight(shape, initializer="zeros", regularizer=decay, name=name)
            for name, shape in shapes.items()
        }
        options = {"initializer": "zeros", "l2": self.l2, "dtype": self.dtype_policy}
        self.of_key: dict[str, EmbeddingTable] = {}
        if self.keys is not None:
            for name, shape in shapes.items():
                self.of_key[name] = EmbeddingTable(self.keys, math.prod(shape), **options, name=f"{name}_of_key")
                build_once(self.of_key[name])

    def call(self, query: Tensor, key: Tensor | None = None) -> Tensor:
        if (key is None) != (self.keys is None):
            wants = "no key" if self.keys is None else f"the key of each query, an id below {self.keys}"
            raise ValueError(f"{type(self).__name__}(keys={self.keys}) takes {wants}.")
        return self.transform(query, {name: self._weight(name, key) for name in self.shared})

    def _weight(self, name: str, key: Tensor | None) -> Tensor:
        shared = ops.convert_to_tensor(self.shared[name])
        if key is None:
            return shared
        known = ops.cast(ops.greater(key, 0), shared.dtype)[:, None]
        of_key = ops.cast(self.of_key[name](key), shared.dtype) * known
        return shared + ops.reshape(of_key, (-1, *shared.shape))

    def matrix(self, key: int | None = None) -> np.ndarray:
        """The map as one matrix `(dim, dim)`, float32, for other programs: `transformed = matrix @ query`.

        Args:
            key: int. Whose map. Defaults to `None`: the one that all share.

        Raises:
            ValueError: the transform has no weights yet, or no such key.
        """
        if not self.built:
            raise ValueError("The transform has no weights yet. Call it first, or load it.")
        if key is not None and not 0 <= key < (self.keys or 0):
            raise ValueError(f"There are {self.keys or 'no'} keys. Received {key}.")
        rows = ops.eye(self.dim)
        keys = None if self.keys is None else ops.full((self.dim,), key or 0, dtype="int32")
        return ops.convert_to_numpy(ops.cast(self(rows, keys), "float32")).T

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict:
        return super().get_config() | {"keys": self.keys, "l2": self.l2}


def product(query: Tensor, matrix: Tensor) -> Tensor:
    """Each query times the matrix, or times its own: `(batch, m)`, `(m, n)` or `(batch, m, n)` -> `(batch, n)`."""
    if len(matrix.shape) == 2:
        return ops.matmul(query, matrix)
    return ops.squeeze(ops.matmul(query[:, None, :], matrix), axis=1)
