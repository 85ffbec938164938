"""Dot product, cosine and squared L2 as one thing: scores of which the highest is the best."""

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor

DISTANCES = ("dot", "cosine", "l2")


def check_distance(distance: str) -> None:
    """Raise unless the distance is one of ours."""
    if distance not in DISTANCES:
        raise ValueError(f"distance is one of {list(DISTANCES)}. Received {distance!r}.")


def prepared_items(rows: np.ndarray, distance: str, first: int) -> np.ndarray:
    """Rows as they are scored: of length 1 for the cosine, else as they come.

    Args:
        rows: float32 `(items, dim)`, finite.
        distance: str.
        first: int. The number of the first row, for the message.
    """
    if distance != "cosine":
        return rows
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not norms.all():
        raise ValueError(
            f"The embedding of item {first + int(np.argmin(norms))} is all zeros, which has no cosine to anything. "
            "Leave the item out, or take distance='dot'."
        )
    return (rows / norms).astype(np.float32)


def prepared_queries(queries: Tensor, distance: str) -> Tensor:
    """Float32 queries as they are scored; a query of zeros stays so, and its cosines are 0."""
    queries = tf.convert_to_tensor(queries)
    return tf.math.divide_no_nan(queries, tf.norm(queries, axis=1, keepdims=True)) if distance == "cosine" else queries


def factor(distance: str) -> float:
    """What a product of query and item counts in the score."""
    return 2.0 if distance == "l2" else 1.0


def item_bias(rows: np.ndarray, distance: str) -> np.ndarray | None:
    """What an item adds to all its scores, `(items,)`: of `-|q - x|^2 = 2 q.x - |x|^2 - |q|^2`, the middle."""
    return -np.einsum("nd,nd->n", rows, rows) if distance == "l2" else None


def with_query_bias(scores: Tensor, queries: Tensor, distance: str) -> Tensor:
    """Scores with what the query adds to all of them, which the order doesn't need."""
    if distance != "l2":
        return scores
    return tf.minimum(scores - tf.reduce_sum(tf.square(queries), axis=1, keepdims=True), 0.0)


def scores_of(queries: Tensor, rows: Tensor, distance: str) -> Tensor:
    """Each query with rows of its own, `(batch, dim)`, `(batch, rows, dim)` -> `(batch, rows)`, in float32."""
    if distance == "l2":
        return -tf.reduce_sum(tf.math.squared_difference(queries[:, None], rows), axis=2)
    return tf.linalg.matvec(rows, queries)


def scores_among(queries: Tensor, rows: Tensor, distance: str) -> Tensor:
    """All queries with all rows, `(batch, dim)`, `(rows, dim)` -> `(batch, rows)`, in float32."""
    scores = factor(distance) * tf.matmul(queries, rows, transpose_b=True)
    if distance != "l2":
        return scores
    return with_query_bias(scores - tf.reduce_sum(tf.square(rows), axis=1), queries, distance)


def pair_scores(queries: Tensor, items: Tensor, distance: str) -> Tensor:
    """Each query with its item, not prepared yet: `(batch, dim)`, `(batch, dim)` -> `(batch,)`, in float32."""
    queries, items = prepared_queries(queries, distance), prepared_queries(items, distance)
    return scores_of(queries, items[:, None], distance)[:, 0]
