"""From frozen vectors to a compressed index in one call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tfdual.index import BruteForce, Index
from tfdual.index.item_ids import id_array, shown
from tfdual.serving import Retriever
from tfdual.tailoring.compression.compression_report import LEARNED, CompressionReport, CompressionRow
from tfdual.tailoring.compression.compressor import EmbeddingCompressor
from tfdual.tailoring.compression.kept_neighbours import KeptNeighbours
from tfdual.tailoring.compression.parts import checked_ids, checked_parts, checked_width, concatenated, stacked, unit
from tfdual.tailoring.compression.pca import PCA
from tfdual.tailoring.compression.projection import Projection
from tfdual.tailoring.compression.random_projection import RandomProjection
from tfdual.tailoring.compression.searched_items import require_for_queries
from tfdual.tailoring.relevant_ids import relevant_ids

EPSILON = 1e-10  # a mean over all pairs has small gradients


@dataclass(frozen=True)
class CompressionOptions:
    """How `compress` trains and measures.

    Args:
        epochs: int. Defaults to 30.
        batch_size: int. Each row is compared with all others of its batch. Defaults to 2048.
        learning_rate: float. Of Adam; it falls to 0 along a cosine. Defaults to 3e-3.
        k: int. How many neighbours the report asks for. Defaults to 10.
        seed: int. Of weights, batches and samples. Defaults to 0.
    """

    epochs: int = 30
    batch_size: int = 2_048
    learning_rate: float = 3e-3
    k: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Compression:
    """What `compress` gives.

    Args:
        compressor: EmbeddingCompressor, trained.
        index: Index of the compressed items.
        report: CompressionReport.
        width: int. Of the vectors in the index.
        spaces: mapping of part name -> the space that its vectors lie in.
    """

    compressor: EmbeddingCompressor
    index: Index
    report: CompressionReport
    width: int
    spaces: Mapping[str, str]

    def to_retriever(self) -> Retriever:
        """See `EmbeddingCompressor.to_retriever`."""
        return self.compressor.to_retriever(self.index, self.width, self.spaces)


def compress(
    vectors: Mapping[str, np.ndarray],
    ids: Any,
    compressor: EmbeddingCompressor,
    width: int | None = None,
    index: Index | None = None,
    queries: Mapping[str, np.ndarray] | None = None,
    relevant: Sequence[Mapping[Any, float] | Sequence[Any]] | None = None,
    spaces: Mapping[str, str] | None = None,
    options: CompressionOptions | None = None,
    training_queries: Mapping[str, np.ndarray] | None = None,
) -> Compression:
    """Train a compressor on the items' frozen vectors, index what it makes of them, and tell what was kept.

    No labels are needed; the report is of the items themselves, or of queries where there are some. It has the recall
    of the exact nearest neighbours by all parts side by side, weighed as the compressor weighs them, at each nested
    width: of the learned vectors, of them in int8 and in one bit a number (scored again in float32), of PCA and of a
    random projection.

    Args:
        vectors: mapping of part name -> `(items, width of its own)`.
        ids: int64 or strings, `(items,)`, all different.
        compressor: EmbeddingCompressor. One without weights is trained, and starts from PCA where it is linear; one
            with weights is taken as it is.
        width: int. The nested width to index. Defaults to `None`: the compressor's `dim`.
        index: Index, not built yet, such as `ScaNN()` or `BruteForce(dtype="binary")`. Defaults to `None`:
            `BruteForce()`.
        queries: mapping of part name -> `(queries, width of its own)`, to measure by. Defaults to `None`: up to 1,000
            of the items, none of which is to find itself.
        relevant: for each query, the ids of its relevant items; of a mapping of id -> grade, those above 0. Then the
            report has NDCG, too. Defaults to `None`.
        spaces: mapping of part name -> name of the space that its vectors lie in. Defaults to `None`: not known.
        options: CompressionOptions. Defaults to `None`: `CompressionOptions()`.
        training_queries: mapping of part name -> `(queries, width of its own)`, to learn from: what a query may look
            like, as the `queries` of `EmbeddingCompressor.fit`. Defaults to `None`: it learns from the items alone.

    Returns:
        `Compression`.

    Raises:
        TypeError, ValueError: before any work starts: vectors of one part that differ in width; NaN, infinity, a row of
            zeros; parts with different numbers of rows; ids that stand twice or are not one a row; a `dim` over the
            width of all parts, nested widths that are no multiples of 8 (bits fill whole bytes), another `width`; an
            index that holds items already; relevant ids that are not one list a query, or of no item; training queries
            for a compressor that has weights, or whose loss takes no `asking`.
    """
    options = options or CompressionOptions()
    parts = checked_parts(vectors, compressor.part_widths if compressor.built else None)
    given = checked_ids(ids, len(next(iter(parts.values()))))
    width, index = checked_width(width, compressor.widths), index or BruteForce()
    asked = None if queries is None else checked_parts(queries, _widths(parts), "queries")
    learned_from = _training_queries(compressor, training_queries, parts)
    positions = _positions(relevant, given, asked)
    _refuse(compressor, index, options.k, len(given))
    if not compressor.built:
        _train(compressor, parts, learned_from, options)
    items = compressor.encode(parts)
    index.build(unit(items[:, :width]), given, compressor.embedding_space(width, spaces))
    whole = _side_by_side(parts, compressor.part_weights)
    others = None if asked is None else _side_by_side(asked, compressor.part_weights)
    kept = KeptNeighbours(whole, others, positions, options.k, options.seed)
    rows = list(_learned(compressor, items, None if asked is None else compressor.encode(asked), kept))
    rows += _closed_form(compressor.widths, whole, others, kept, options.seed)
    report = CompressionReport(options.k, len(given), kept.count, whole.shape[1], tuple(rows), kept.ndcg)
    return Compression(compressor, index, report, width, dict(spaces or {}))


def _side_by_side(parts: Mapping[str, np.ndarray], weights: Mapping[str, float] | None) -> np.ndarray:
    return unit(np.concatenate(list(concatenated(parts, weights))))


def _widths(parts: Mapping[str, np.ndarray]) -> dict[str, int]:
    return {name: part.shape[1] for name, part in parts.items()}


def _training_queries(compressor: EmbeddingCompressor, queries: Any, parts: Mapping[str, np.ndarray]) -> Any:
    """Those to learn from, checked."""
    if queries is None:
        return None
    if compressor.built:
        raise ValueError("A compressor with weights is taken as it is. Leave training_queries out, or pass a new one.")
    require_for_queries(compressor.base_loss)
    return checked_parts(queries, _widths(parts), "training queries")


def _refuse(compressor: EmbeddingCompressor, index: Index, k: int, items: int) -> None:
    """What is left to check."""
    if index.size:
        raise ValueError("The index holds items already. Pass one that isn't built, such as BruteForce().")
    if odd := [width for width in compressor.widths if width % 8]:
        raise ValueError(f"Nested widths are multiples of 8, so that bits fill whole bytes. Received {odd}.")
    if items < compressor.dim:
        raise ValueError(f"{compressor.dim} directions are found in as many items or more. Received {items} items.")
    if not 1 <= k < items:
        raise ValueError(f"k is at least 1 and below the {items} items. Received {k}.")


def _positions(relevant: Any, ids: np.ndarray, asked: Any) -> list[np.ndarray] | None:
    """The positions of each query's relevant items."""
    if relevant is None:
        return None
    rows = 0 if asked is None else len(next(iter(asked.values())))
    if len(relevant) != rows:
        raise ValueError(f"Each query has a list of relevant ids. Received {rows} queries and {len(relevant)} lists.")
    place = {item: position for position, item in enumerate(ids.tolist())}
    found = []
    for row, wanted in enumerate(relevant):
        keys = id_array(relevant_ids(wanted)).tolist()
        if not keys or not set(keys) <= place.keys():
            unknown = [shown(key) for key in keys if key not in place]
            raise ValueError(f"Query {row} needs relevant ids, of items. Unknown are {unknown} of {len(keys)}.")
        found.append(np.unique([place[key] for key in keys]))
    return found


def _train(
    compressor: EmbeddingCompressor,
    parts: dict[str, np.ndarray],
    queries: dict[str, np.ndarray] | None,
    options: CompressionOptions,
) -> None:
    keras.utils.set_random_seed(options.seed)
    compressor.checked(parts)
    rows = parts if queries is None else stacked(parts, queries)
    if compressor.is_linear:
        compressor.start_from_pca(rows)
    steps = max(1, options.epochs * -(-len(next(iter(rows.values()))) // options.batch_size))
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps)
    compressor.compile(keras.optimizers.Adam(rate, epsilon=EPSILON))
    compressor.fit(parts, queries=queries, epochs=options.epochs, batch_size=options.batch_size, verbose=0)


def _learned(
    compressor: EmbeddingCompressor, items: np.ndarray, queries: np.ndarray | None, kept: KeptNeighbours
) -> Iterator[CompressionRow]:
    """What the compressor keeps: in float32, in int8 without the floats, and by signs with them."""
    for width in compressor.widths:
        cut = unit(items[:, :width]), None if queries is None else unit(queries[:, :width])
        yield CompressionRow(LEARNED, width, 4 * width, *kept.of(BruteForce(), *cut))
        int8 = BruteForce(dtype="int8", keep_embeddings=False)
        yield CompressionRow(f"{LEARNED}, int8", width, width + 4, *kept.of(int8, *cut))
        yield CompressionRow(f"{LEARNED}, binary", width, width // 8 + 4, *kept.of(BruteForce(dtype="binary"), *cut))


def _closed_form(
    widths: Sequence[int], items: np.ndarray, queries: np.ndarray | None, kept: KeptNeighbours, seed: int
) -> Iterator[CompressionRow]:
    """What is kept without learning."""
    dim = widths[-1]
    methods: dict[str, Projection] = {"PCA": PCA(dim), "random projection": RandomProjection(dim, seed)}
    for name, projection in methods.items():
        projection.fit(items)
        for width in widths:
            cut = projection.encode(items, width), None if queries is None else projection.encode(queries, width)
            yield CompressionRow(name, width, 4 * width, *kept.of(BruteForce(), *cut))
