"""Search among items of several vectors, one a token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.best_places import Found, filled
from tfdual.index.fresh_items import FreshItems
from tfdual.index.index import Index
from tfdual.index.recall import scanned_positions
from tfdual.index.seldom import seldom
from tfdual.index.token_blocks import TokenBlocks
from tfdual.index.token_candidates import candidate_items
from tfdual.index.token_codecs import codec_of
from tfdual.index.token_scores import best_of_all, best_of_own
from tfdual.index.token_store import TokenStore
from tfdual.interactions.max_sim import MaxSim

DTYPES = ("float32", "int8", "residual")
BITS = (1, 2, 4)
TOKENS = "tokens"  # the folder of the index of tokens
LOSSY = (
    "The index keeps its tokens as dtype={dtype!r}, so that it can't be built anew from what it holds. Build one of "
    "your embeddings."
)


class MaxSimIndex(Index):
    """Items of several vectors; the score is the sum over the query's vectors of the best product with one of an item.

    `score = sum_i max_j query_i . item_j`. Tokens lie one after another, without padding, whatever the items' lengths.

    Without `tokens` every item is scored. With an index of tokens, each vector of the query finds its nearest tokens;
    the items that these are of are ranked by what was found, and the best `candidates` are scored exactly. Where these
    are fewer than `k` that may be found, all items are scored. Items that come after the build are kept in
    float32, and are all scored.

    Args:
        tokens: Index, such as `ScaNN()`, not built. Defaults to `None`: every item is scored.
        candidates: int. Items a query that are scored exactly; at least `k`. Defaults to 256.
        neighbours: int. Tokens that each vector of a query finds. Defaults to 128.
        dtype: str. How tokens are kept for the exact scores: `"float32"`; `"int8"`, a quarter; or `"residual"`, the
            nearest centroid and `bits` for each number of the difference. Defaults to `"float32"`.
        bits: int, 1, 2 or 4. Of a residual. Defaults to 2.
        centroids: int. For residuals. Defaults to `None`: the power of two below four times the root of the number of
            tokens.

    Raises:
        ValueError: numbers below 1; another dtype or number of bits; an index of tokens that is built, or takes queries
            of several vectors.

    Example:
        >>> texts = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.75], [0.0, 0.0]]])  # the second has one token
        >>> index = MaxSimIndex().build(texts, ids=["tea and milk", "tea"])
        >>> found = index.search(tf.constant([[[1.0, 0.0], [0.0, 1.0]]]), k=2)
        >>> found.ids.numpy().tolist(), found.scores.numpy().tolist()
        ([[b'tea and milk', b'tea']], [[2.0, 1.25]])

    Reference: Khattab and Zaharia, 2020, "ColBERT", arXiv:2004.12832; Santhanam et al., 2022, "ColBERTv2",
    arXiv:2112.01488
    """

    interaction = MaxSim()

    def __init__(
        self,
        tokens: Index | None = None,
        candidates: int = 256,
        neighbours: int = 128,
        dtype: str = "float32",
        bits: int = 2,
        centroids: int | None = None,
    ) -> None:
        super().__init__()
        counts = {"candidates": candidates, "neighbours": neighbours, "centroids": centroids}
        if bad := {name: count for name, count in counts.items() if count is not None and count < 1}:
            raise ValueError(f"{' and '.join(bad)} must be at least 1. Received {bad}.")
        if dtype not in DTYPES:
            raise ValueError(f"dtype is one of {list(DTYPES)}. Received {dtype!r}.")
        if bits not in BITS:
            raise ValueError(f"bits is one of {list(BITS)}. Received {bits}.")
        if tokens is not None and (tokens.size or tokens.interaction.rank != 2):
            raise ValueError(
                "The index of tokens is one of vectors that is not built yet, such as `ScaNN()`: it gets the tokens. "
                f"Received a {type(tokens).__name__} of {tokens.size} items."
            )
        self.tokens = tokens
        self.candidates = candidates
        self.neighbours = neighbours
        self.dtype = dtype
        self.bits = bits
        self.centroids = centroids

    def _blocks(self, embeddings: Any, count: int | None) -> Any:
        return TokenBlocks(embeddings, count)

    def _build(self, blocks: Any) -> None:
        codec = codec_of(self.dtype, self.bits, self.centroids)
        if self.tokens is None:
            self._store = TokenStore.of(codec, blocks, blocks.dim)
            return
        rows: list[np.ndarray] = []
        self._store = TokenStore.of(codec, _watched(blocks, rows), blocks.dim)
        self.tokens.build(np.concatenate(rows))

    def _fresh(self) -> FreshItems:
        return FreshItems((None, self.dim), self.interaction.among)

    def _scanned(self, queries: Tensor, k: Tensor, allowed: Tensor | None, count: Tensor | None) -> Found:
        return best_of_all(self._store, queries, k, allowed)

    def _search(self, queries: Tensor, k: Tensor, allowed: Tensor | None, count: Tensor | None) -> Found:
        if self.tokens is None:
            return self._scanned(queries, k, allowed, count)
        items, scores = self._found(queries, k)
        if allowed is not None:
            items = tf.where(_at(allowed, items), items, -1)
        chosen = candidate_items(items, scores, tf.maximum(self.candidates, k))  # (batch, candidates)
        if allowed is None:
            wanted = k
        else:
            wanted = tf.minimum(k, tf.reduce_sum(tf.cast(allowed, tf.int32), axis=1))
        lacking = tf.reduce_any(tf.reduce_sum(tf.cast(chosen >= 0, tf.int32), axis=1) < wanted)

        def of_chosen() -> Found:
            return filled(best_of_own(self._store, queries, chosen, tf.minimum(k, tf.shape(chosen)[1])), k)

        return tf.cond(lacking, seldom(lambda: self._scanned(queries, k, allowed, count)), of_chosen)

    def _found(self, queries: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Items and scores of the tokens that the queries' vectors find, `(batch, vectors, n)`."""
        assert self.tokens is not None
        batch, vectors = tf.shape(queries)[0], tf.shape(queries)[1]
        width = tf.minimum(tf.maximum(self.neighbours, k), self._store.tokens)
        places, scores = self.tokens.search_now(tf.reshape(queries, [-1, self._store.dim]), width)
        shape = [batch, vectors, width]
        places, scores = tf.reshape(places, shape), tf.reshape(scores, shape)
        missing = (places < 0) | ~tf.reduce_any(queries != 0, axis=2)[..., None]
        items = self._store.item_of(tf.maximum(places, 0))
        return tf.where(missing, -1, items), tf.where(missing, -float("inf"), scores)

    def pair_scores(self, queries: Tensor, items: Tensor) -> Tensor:
        """Scores of each query with its item, as the towers embed them, `(batch,)`."""
        return self.interaction.each(queries, items[:, None])[:, 0]

    def exact_positions(self, queries: Any, k: int) -> np.ndarray:
        """Positions of the best `k` items of each query by the scores of all, as they are kept, `(queries, k)`."""
        return scanned_positions(self.items, self._scanned, queries, k)

    @property
    def is_exact(self) -> bool:
        """Whether it always finds the best items: float32 tokens of which all are scored."""
        return self.tokens is None and self.dtype == "float32"

    def _resources(self) -> list[Any]:
        return [*self._store.variables, *(self.tokens.resources if self.tokens else [])]

    def _rows(self) -> Iterator[np.ndarray]:
        if self.dtype != "float32":
            raise ValueError(LOSSY.format(dtype=self.dtype))
        return self._store.item_blocks()

    def _config(self) -> dict[str, Any]:
        return {
            "candidates": self.candidates,
            "neighbours": self.neighbours,
            "dtype": self.dtype,
            "bits": self.bits,
            "centroids": self.centroids,
        }

    def _about(self) -> dict[str, Any]:
        store = self._store
        return {
            "dtype": self.dtype,
            "tokens": store.tokens,
            "bytes": store.bytes,
            "bytes_per_item": round(store.bytes / store.items, 1),
            "index_of_tokens": self.tokens and self.tokens.describe() | {"bytes": _bytes(self.tokens.resources)},
        }

    def unbuilt(self) -> Self:
        return type(self)(self.tokens and self.tokens.unbuilt(), **self._config())

    def _save(self, folder: Path) -> None:
        self._store.save(folder)
        if self.tokens is not None:
            self.tokens.save(folder / TOKENS)

    def _load(self, folder: Path, about: dict[str, Any]) -> None:
        self._store = TokenStore.load(codec_of(self.dtype, self.bits, self.centroids), folder)
        if about["index_of_tokens"] is not None:
            self.tokens = Index.load(folder / TOKENS)


def _watched(blocks: TokenBlocks, rows: list[np.ndarray]) -> Iterator[Any]:
    """The same blocks, whose tokens are kept in a list."""
    for block in blocks:
        rows.append(block[0])
        yield block


def _at(allowed: Tensor, items: Tensor) -> Tensor:
    """Whether the items, `(batch, ...)`, are allowed; -1 is not."""
    allowed = tf.broadcast_to(allowed, [tf.shape(items)[0], tf.shape(allowed)[1]])
    return (items >= 0) & tf.gather(allowed, tf.maximum(items, 0), batch_dims=1)


def _bytes(resources: list[Any]) -> int:
    """The sizes of variables, and of those in modules."""
    variables = [one for held in resources for one in (held.variables if isinstance(held, tf.Module) else [held])]
    return sum(map(_size, (variable.value() for variable in variables)))


def _size(values: Tensor) -> int:
    if values.dtype == tf.string:
        return int(tf.reduce_sum(tf.strings.length(values)))
    return int(tf.size(values)) * values.dtype.size
