"""Exact sums of best matches of queries with stored items."""

from collections.abc import Callable

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found, best_of, best_of_ascending, filled
from tfdual.index.kept_rows import rows_at
from tfdual.index.query_blocks import by_blocks
from tfdual.index.token_store import TOKENS_AT_ONCE, TokenStore

COLUMNS_AT_ONCE = 1 << 10  # vectors of queries; with a block of tokens 128 MiB of products
SCORES_AT_ONCE = 1 << 26
FEW_ALLOWED = 4  # of less than one in so many, these alone are read


def best_of_all(store: TokenStore, queries: Tensor, k: Tensor, allowed: Tensor | None) -> Found:
    """Positions and scores of the best `k` of all items, or of those that are allowed.

    Args:
        store: TokenStore.
        queries: float32 `(batch, vectors, dim)`.
        k: int32 scalar, at most all.
        allowed: bool `(1, items)` or `(batch, items)`. None: all.
    """
    vectors = tf.maximum(tf.shape(queries)[1], 1)
    at_once = tf.maximum(tf.minimum(COLUMNS_AT_ONCE // vectors, SCORES_AT_ONCE // store.items), 1)
    if allowed is None:
        positions = tf.range(store.items)
        return by_blocks(lambda block: _best(positions, _all_scores(store, block), k), [queries], k, at_once)
    allowed = tf.broadcast_to(allowed, [tf.shape(queries)[0], store.items])
    left = tf.cast(tf.where(tf.reduce_any(allowed, axis=0))[:, 0], tf.int32)

    def of_few(queries: Tensor, allowed: Tensor) -> Found:
        scores = tf.where(tf.gather(allowed, left, axis=1), scores_of(store, queries, left), -float("inf"))
        return filled(_best(left, scores, tf.minimum(k, tf.size(left))), k)

    def of_many(queries: Tensor, allowed: Tensor) -> Found:
        scores = tf.where(allowed, _all_scores(store, queries), -float("inf"))
        return _best(tf.range(store.items), scores, k)

    return tf.cond(
        FEW_ALLOWED * tf.size(left) < store.items,
        lambda: by_blocks(of_few, [queries, allowed], k, at_once),
        lambda: by_blocks(of_many, [queries, allowed], k, at_once),
    )


def best_of_own(store: TokenStore, queries: Tensor, positions: Tensor, k: Tensor) -> Found:
    """The best `k` of each query's own items.

    Args:
        store: TokenStore.
        queries: float32 `(batch, vectors, dim)`.
        positions: int32 `(batch, n)`; -1 where there is none.
        k: int32 scalar, at most n.
    """

    def of_one(query: Tensor, positions: Tensor) -> Found:
        scores = scores_of(store, query, tf.reshape(tf.maximum(positions, 0), [-1]))
        scores = tf.reshape(scores, tf.shape(positions))
        return best_of(positions, tf.where(positions < 0, -float("inf"), scores), k)

    return by_blocks(of_one, [queries, positions], k, 1)


def scores_of(store: TokenStore, queries: Tensor, positions: Tensor) -> Tensor:
    """Scores of all queries with the items at positions `(n,)`: `(batch, n)`."""
    at_once, columns = max(1, TOKENS_AT_ONCE // store.longest), _columns(queries)

    def block(place: Tensor) -> Tensor:
        here = positions[place * at_once : (place + 1) * at_once]
        starts, ends = rows_at(store.splits, here), rows_at(store.splits, here + 1)
        return _scores(store.products_at(tf.ragged.range(starts, ends).values, columns), ends - starts, queries)

    return _joined(block, -(-tf.size(positions) // at_once), queries)


def _all_scores(store: TokenStore, queries: Tensor) -> Tensor:
    """`(batch, items)`."""
    bounds, count, columns = tf.constant(store.bounds), len(store.bounds) - 1, _columns(queries)

    def block(place: Tensor) -> Tensor:
        splits = store.splits[bounds[place] : bounds[place + 1] + 1]
        return _scores(store.products_between(splits[0], splits[-1], columns), splits[1:] - splits[:-1], queries)

    return tf.transpose(block(tf.constant(0))) if count == 1 else _joined(block, tf.constant(count), queries)


def _joined(block: Callable[[Tensor], Tensor], count: Tensor, queries: Tensor) -> Tensor:
    """What `block` gives for each place below `count`, `(items, batch)`, joined and turned: `(batch, items)`."""
    batch = tf.shape(queries)[0]

    def body(place: Tensor, found: tf.TensorArray) -> tuple[Tensor, tf.TensorArray]:
        return place + 1, found.write(place, block(place))

    found = tf.TensorArray(tf.float32, count, infer_shape=False, element_shape=[None, None])
    _, found = tf.while_loop(lambda place, _: place < count, body, (tf.constant(0), found), parallel_iterations=2)
    joined = tf.cond(count > 0, found.concat, lambda: tf.zeros([0, batch]))
    return tf.transpose(joined)


def _columns(queries: Tensor) -> Tensor:
    """`(dim, batch * vectors)`."""
    return tf.transpose(tf.reshape(queries, [-1, queries.shape[2]]))


def _scores(products: Tensor, lengths: Tensor, queries: Tensor) -> Tensor:
    """Of some items, whose tokens follow one another: `(items, batch)`.

    A vector of zeros in a query has the product 0 with all tokens, and adds nothing.

    Args:
        products: of the tokens with the vectors of the queries, `(tokens, batch * vectors)`.
        lengths: int32 `(items,)`.
        queries: `(batch, vectors, dim)`.
    """
    batch, vectors = tf.shape(queries)[0], tf.shape(queries)[1]
    best = tf.math.segment_max(products, tf.repeat(tf.range(tf.size(lengths)), lengths))
    return tf.reduce_sum(tf.reshape(best, [tf.size(lengths), batch, vectors]), axis=2)


def _best(positions: Tensor, scores: Tensor, k: Tensor) -> Found:
    """Of ascending positions `(n,)` with scores `(batch, n)`."""
    return best_of_ascending(tf.broadcast_to(positions, tf.shape(scores)), scores, k)
