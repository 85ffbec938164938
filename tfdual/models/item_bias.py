"""A number for each item that is added to its score, as one more dimension of the embeddings."""

from keras import ops

from tfdual._typing import Tensor
from tfdual.features import EmbeddingTable


def bias_table(items: int, dtype: object) -> EmbeddingTable:
    """The biases of so many items, at first 0."""
    return EmbeddingTable(items, 1, initializer="zeros", name="bias", dtype=dtype)


def with_one(query: Tensor) -> Tensor:
    """The query with a 1 to multiply the bias by, `(batch, dim + 1)`."""
    return ops.concatenate([query, ops.ones_like(query[:, :1])], axis=1)


def with_bias(item: Tensor, bias: Tensor) -> Tensor:
    """The item with its bias, `(batch, dim + 1)`: the inner product with the query is `query . item + bias`.

    Reference: Bachrach et al., 2014, "Speeding up the Xbox recommender system using a Euclidean transformation for
    inner-product spaces"
    """
    return ops.concatenate([item, ops.cast(bias, item.dtype)], axis=1)
