"""The score of several vectors a side: each vector of the query, with the vector of the item that fits it best."""

from dataclasses import dataclass

from keras import ops

from tfdual._backend import sum_and_stack
from tfdual._row_blocks import Count, at_least, cut, divided
from tfdual._typing import Tensor
from tfdual.interactions.interaction import Interaction, is_vector

PRODUCTS_AT_ONCE = 1 << 26  # at most, 256 MiB; of one item with all queries at least
NOTHING = -float("inf")
FILLED = 1.0  # what stands where no item is left: no zeros, which would be padding of an item


@dataclass(frozen=True)
class MaxSim(Interaction):
    """A query and an item are several vectors each, such as one a token: what late interaction is.

    `score = sum_i max_j query_i . item_j`. Vectors of zeros are padding: they count as no vector of the query, and are
    never the best of an item, also where all products are negative. An item without a vector scores minus infinity.

    The products are computed in blocks of items, forwards and backwards, so that no more than 2^26 are ever held. In
    float32.

    Example:
        >>> query = ops.array([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])  # two vectors, and one that fills up
        >>> items = ops.array([[[2.0, 0.0], [1.0, 3.0]], [[-1.0, -2.0], [0.0, 0.0]]])
        >>> MaxSim().among(query, items).numpy().tolist()
        [[5.0, -3.0]]

    Reference: Khattab and Zaharia, 2020, "ColBERT", arXiv:2004.12832
    """

    name = "max_sim"
    rank = 3

    def among(self, query: Tensor, item: Tensor) -> Tensor:
        """`(queries, vectors, dim)`, `(items, vectors, dim)` -> `(queries, items)`."""

        @ops.custom_gradient
        def in_blocks(query: Tensor, item: Tensor) -> tuple:
            def gradient(*arguments: Tensor, upstream: Tensor | None = None) -> tuple[Tensor, Tensor]:
                return _gradients(query, item, arguments[0] if upstream is None else upstream)

            return _among(query, item), gradient

        return in_blocks(ops.cast(query, "float32"), ops.cast(item, "float32"))

    def each(self, query: Tensor, item: Tensor) -> Tensor:
        """`(batch, vectors, dim)`, `(batch, candidates, vectors, dim)` -> `(batch, candidates)`."""
        query, item = ops.cast(query, "float32"), ops.cast(item, "float32")
        batch, candidates, vectors, dim = ops.shape(item)
        products = ops.matmul(ops.reshape(item, (batch, candidates * vectors, dim)), ops.swapaxes(query, 1, 2))
        products = ops.reshape(products, (batch, candidates, vectors, ops.shape(query)[1]))
        best = ops.max(ops.where(is_vector(item)[..., None], products, NOTHING), axis=2, initial=NOTHING)
        return ops.sum(ops.where(is_vector(query)[:, None], best, 0.0), axis=-1)

    def pooled(self, query: Tensor) -> Tensor:
        """The sum of the vectors, `(batch, dim)`, whose product with an item of one vector is the score."""
        return ops.sum(query, axis=1)


def _among(query: Tensor, item: Tensor) -> Tensor:
    """Scores, `(queries, items)`."""
    queries, vectors, dim = ops.shape(query)
    columns = ops.transpose(ops.reshape(query, (-1, dim)))  # (dim, queries * vectors)
    counted = ops.reshape(is_vector(query), (-1,))

    def scores_of(item: Tensor) -> Tensor:
        best = ops.where(counted, _best(item, columns, counted), 0.0)  # (items, queries * vectors)
        return ops.sum(ops.reshape(best, (ops.shape(item)[0], queries, vectors)), axis=-1)

    items = ops.shape(item)[0]
    count, size = _blocks_of(items, ops.shape(item)[1] * queries * vectors)
    none = ops.zeros(())

    def by_block() -> Tensor:
        blocks = cut(item, count, size, FILLED)
        _, found = sum_and_stack(lambda block: (none, scores_of(blocks[block])), count, none)
        return ops.reshape(found, (count * size, queries))[:items]

    if isinstance(count, int):
        return ops.transpose(scores_of(item) if count == 1 else by_block())
    return ops.transpose(ops.cond(count == 1, lambda: scores_of(item), by_block))


def _best(item: Tensor, columns: Tensor, counted: Tensor) -> Tensor:
    """The best product of each item's vectors with each column, `(items, columns)`.

    A product with padding is 0. So it can be the best only where the best is 0, which is where padding is looked for.
    """
    products = _products(item, columns)
    best = ops.max(products, axis=1, initial=NOTHING)
    return ops.cond(
        ops.any(ops.logical_and(ops.equal(best, 0), counted)),
        lambda: ops.max(ops.where(is_vector(item)[..., None], products, NOTHING), axis=1, initial=NOTHING),
        lambda: best,
    )


def _products(item: Tensor, columns: Tensor) -> Tensor:
    """One product of matrices, `(items, vectors, columns)`: the maximum over the middle axis reads whole rows."""
    items, vectors, dim = ops.shape(item)
    products = ops.matmul(ops.reshape(item, (items * vectors, dim)), columns)
    return ops.reshape(products, (items, vectors, ops.shape(columns)[1]))


def _gradients(query: Tensor, item: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """By the query and by the item; of vectors that are equally good, each has its part."""
    queries, vectors, dim = ops.shape(query)
    rows = ops.reshape(query, (-1, dim))
    columns, counted = ops.transpose(rows), ops.reshape(is_vector(query), (-1,))
    items, length = ops.shape(item)[:2]
    count, size = _blocks_of(items, length * queries * vectors)
    blocks, pulls = cut(item, count, size, FILLED), cut(ops.transpose(upstream), count, size)

    def step(block: Count) -> tuple[Tensor, Tensor]:
        one, there = blocks[block], is_vector(blocks[block])[..., None]
        products = ops.where(there, _products(one, columns), NOTHING)
        best = ops.max(products, axis=1, keepdims=True, initial=NOTHING)
        hit = ops.logical_and(ops.equal(products, best), there)
        pull = ops.where(counted, ops.repeat(pulls[block], vectors, axis=1), 0.0)[:, None]  # (size, 1, columns)
        share = ops.where(hit, pull, 0.0) / ops.maximum(ops.sum(ops.cast(hit, "float32"), axis=1, keepdims=True), 1.0)
        share = ops.reshape(share, (size * length, queries * vectors))
        by_item = ops.reshape(ops.matmul(share, rows), (size, length, dim))
        return ops.matmul(ops.transpose(share), ops.reshape(one, (size * length, dim))), by_item

    by_query, by_item = sum_and_stack(step, count, ops.zeros_like(rows))
    return ops.reshape(by_query, ops.shape(query)), ops.reshape(by_item, (count * size, length, dim))[:items]


def _blocks_of(items: Count, products: Count) -> tuple[Count, Count]:
    """How many blocks there are, and how many items each has; `products`: of one item."""
    return divided(items, PRODUCTS_AT_ONCE // at_least(1, products))
