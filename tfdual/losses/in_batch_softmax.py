"""Softmax over the items of the batch, and over further negatives, in blocks of rows."""

from dataclasses import dataclass, replace

from keras import ops

from tfdual._backend import data_dependent_shapes, distinct_rows, equal_pairs
from tfdual._items import Items, row_of
from tfdual._typing import Tensor
from tfdual.losses._blocked_softmax import Negatives, loss_and_gradients
from tfdual.losses._positives import OneEach, Shared


def in_batch_softmax(  # noqa: PLR0913 (the options of a loss)
    query: Tensor,
    item: Tensor,
    item_ids: Tensor | None = None,
    log_probability: Tensor | None = None,
    sample_weight: Tensor | None = None,
    distinct: bool = False,
    extra: Items | None = None,
    left_out: Tensor | None = None,
    hardest: int | None = None,
    in_batch: bool = True,
    query_of: Tensor | None = None,
    batch_row: Tensor | None = None,
    always: Tensor | int = 0,
) -> Tensor:
    """Mean cross-entropy of each query's own item among all items of the batch, and further negatives.

    `score[b, j] = query[b] . item[j] - log_probability[j]`, left out where `item_ids` says that item `j` is the
    positive of row `b`, at another place. `loss[b] = logsumexp_j(score[b]) - score[b, b]`.

    The whole matrix of scores never exists: rows are taken in blocks, and the gradient, by query, item and
    `extra.embedding`, is computed in the same pass. Sums are in float32.

    Args:
        query: `(batch, dim)`, already divided by the temperature.
        item: `(batch, dim)`; row `b` is the positive of query `b`.
        item_ids: int `(batch,)`. Which rows hold the same item. Defaults to `None`: no accidental hit is masked.
        log_probability: `(batch,)`, natural logarithm of the probability that an item is in the batch, up to a
            constant. Defaults to `None`: no correction.
        sample_weight: `(batch,)`. Defaults to `None`: 1 each.
        distinct: bool. Score an item that stands `n` times in the batch once as a negative, by its first row, and
            count it `n` times. Where rows of one id have one embedding, the result is the same, and faster the
            more often items repeat. TensorFlow backend only. Defaults to `False`.
        extra: `Items`. Further negatives of every query, or of the queries of its `row`, but of those whose positive
            has the same id. What its mask leaves out gets a gradient of 0, whatever its embedding holds. Defaults to
            `None`: none.
        left_out: int `(pairs, 2)`, pairs of a row and a candidate that is none of its negatives, in any order.
            Candidates are counted through the batch's rows, then the extra items; with `in_batch=False`, through
            the extra items alone. A row's own positive always stays; with `distinct`, a row stands for all of its item.
            TensorFlow backend only. Defaults to `None`: no pair.
        hardest: int. Only the `hardest` highest scores among the negatives of each query count, and those that equal
            the lowest of them. With `distinct`, an item is one negative here. Defaults to `None`: all.
        in_batch: bool. The other rows of the batch are negatives. Defaults to `True`. `False`: the extra items alone.
        query_of: int `(batch,)`, which row of `query` each item is a positive of. `query` is `(queries, dim)` then, and
            each of its rows has an item at least. The items of a query are none of its negatives, so that its scores
            are computed once for all of them; `left_out` names rows of `query`. TensorFlow backend only. Defaults to
            `None`: row `b` is the positive of query `b`.
        batch_row: int, one for each row of `query`. The row of the training batch that it is of, which the `row` of
            `extra` counts: that of a list gives a query for each of its positions. Defaults to `None`: the query of
            `item[b]` is of row `b`.
        always: int. So many of the extra items, the last ones, are negatives whatever `hardest` says; it chooses among
            the others and the batch's. Defaults to 0.

    Returns:
        A scalar, float32.

    Raises:
        ValueError: `distinct`, `extra` or `query_of` without `item_ids`; `in_batch=False` without `extra`; `hardest`
            below 1; embeddings that differ in width.
        RuntimeError: `distinct`, `left_out` or `query_of` on another backend than TensorFlow.

    Example:
        >>> query, item = ops.convert_to_tensor([[1.0], [2.0]]), ops.convert_to_tensor([[3.0], [1.0]])
        >>> round(float(in_batch_softmax(query, item)), 4)
        2.0725

    Reference: Yi et al., 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations"
    """
    _check_negatives(item_ids, distinct, extra, hardest, in_batch, query_of)
    _check_widths(query, item, extra)
    query, item = ops.cast(query, "float32"), ops.cast(item, "float32")
    query_of = None if query_of is None else ops.cast(query_of, "int32")
    rows = ops.shape(item)[0]
    weight = ops.ones((rows,), "float32") if sample_weight is None else ops.cast(sample_weight, "float32")
    weight = weight / ops.maximum(ops.sum(weight), 1e-12)
    offset = ops.zeros((rows,)) if log_probability is None else ops.stop_gradient(ops.cast(log_probability, "float32"))
    batch = _candidates_of_batch(item_ids, rows, distinct, in_batch)
    batch_rows = None
    if extra is not None and extra.row is not None:
        batch_rows = _batch_rows(batch, row_of(extra), query_of, batch_row, ops.shape(query)[0])
    negatives = _negatives(batch, item_ids, offset, extra, left_out, hardest, query_of)
    negatives = replace(negatives, batch_rows=batch_rows, always=always)

    @ops.custom_gradient
    def blocked(query: Tensor, item: Tensor, *further: Tensor) -> tuple:
        of_batch = batch.of_rows(item)
        candidates = ops.concatenate([of_batch, *further], axis=0)
        pairs = _pairs(query, item, offset, weight, query_of)
        loss, by_query, by_item, by_candidate = loss_and_gradients(query, item, candidates, negatives, pairs, weight)
        count = ops.shape(of_batch)[0]
        by_item = by_item + batch.to_rows(by_candidate[:count], ops.shape(item))
        gradients = [by_query, by_item, by_candidate[count:]][: 2 + len(further)]

        def gradient(*arguments: Tensor, upstream: Tensor | None = None) -> list[Tensor]:
            upstream = arguments[0] if upstream is None else upstream
            return [upstream * part for part in gradients]

        return loss, gradient

    return blocked(query, item) if extra is None else blocked(query, item, _embedding(extra))


def _pairs(query: Tensor, item: Tensor, offset: Tensor, weight: Tensor, query_of: Tensor | None) -> OneEach | Shared:
    """The positives and their scores."""
    own = query if query_of is None else ops.take(query, query_of, axis=0)
    score = ops.sum(own * item, axis=-1) - offset
    return OneEach(score, weight) if query_of is None else Shared(score, weight, query_of, ops.shape(query)[0])


@dataclass(frozen=True)
class _BatchCandidates:
    """The items of the batch as candidates."""

    first: Tensor | None  # (candidates,), the row that stands for each; None: each row is one
    own: Tensor  # (batch,), which candidate is the row's own item; empty where the batch has no candidates
    log_count: Tensor | None = None  # (candidates,), logarithm of how many rows each stands for; None: of one

    def of_rows(self, values: Tensor) -> Tensor:
        """What the rows hold, for each candidate."""
        return values if self.first is None else ops.take(values, self.first, axis=0)

    def to_rows(self, values: Tensor, shape: tuple) -> Tensor:
        """What the candidates hold, at the rows that stand for them; 0 at the others."""
        return values if self.first is None else ops.scatter(self.first[:, None], values, shape)


def _candidates_of_batch(
    item_ids: Tensor | None, rows: Tensor | int, distinct: bool, in_batch: bool
) -> _BatchCandidates:
    if not in_batch:
        return _BatchCandidates(ops.zeros((0,), "int32"), ops.zeros((0,), "int32"))
    if not distinct:
        return _BatchCandidates(None, ops.arange(rows, dtype="int32"))
    first, own, counts = distinct_rows(item_ids)
    return _BatchCandidates(first, own, ops.log(ops.cast(counts, "float32")))


def _negatives(
    batch: _BatchCandidates,
    item_ids: Tensor | None,
    offset: Tensor,
    extra: Items | None,
    left_out: Tensor | None,
    hardest: int | None,
    query_of: Tensor | None,
) -> Negatives:
    """Biases of all candidates, and which of them are left out of which queries."""
    bias, log_count, places = -batch.of_rows(offset), batch.log_count, None
    count, further = ops.shape(bias)[0], 0
    if log_count is not None and hardest is None:
        bias, log_count = bias + log_count, None
    if extra is not None:
        extra_bias = _extra_bias(extra)
        further = ops.shape(extra_bias)[0]
        bias = ops.concatenate([bias, extra_bias], axis=0)
        log_count = None if log_count is None else ops.concatenate([log_count, ops.zeros((further,))], axis=0)
    if query_of is None and item_ids is not None and (extra is not None or batch.log_count is None):
        places = _places(batch, item_ids, extra)
    if left_out is not None:
        candidates = ops.concatenate([batch.own, count + ops.arange(further, dtype="int32")], axis=0)
        left_out = ops.cast(left_out, "int32")
        left_out = ops.stack([left_out[:, 0], ops.take(candidates, left_out[:, 1])], axis=1)
    if query_of is not None:
        of_queries = _items_of_queries(batch, item_ids, extra, query_of)
        left_out = of_queries if left_out is None else ops.concatenate([of_queries, left_out], axis=0)
    left_out = None if left_out is None else _in_order_of_queries(left_out)
    own = batch.own if places is None and query_of is None else None
    return Negatives(bias, own, places, left_out, hardest, log_count)


def _batch_rows(
    batch: _BatchCandidates, row: Tensor, query_of: Tensor | None, batch_row: Tensor | None, queries: Tensor | int
) -> tuple[Tensor, Tensor]:
    """The row of the batch of each query, and the one that alone has each candidate, or -1: those of the batch first.

    Queries that several rows share count as rows themselves.
    """
    if batch_row is None:
        batch_row = ops.arange(queries)
        if query_of is not None:
            row = ops.where(row < 0, -1, ops.take(query_of, ops.maximum(row, 0)))
    of_batch = ops.full_like(batch.of_rows(batch.own), -1)
    return ops.cast(batch_row, "int32"), ops.concatenate([of_batch, row], axis=0)


def _items_of_queries(batch: _BatchCandidates, item_ids: Tensor, extra: Items | None, query_of: Tensor) -> Tensor:
    """Pairs of a query and a candidate that is the item of one of its pairs."""
    candidates = batch.of_rows(item_ids)
    if extra is not None:
        candidates = ops.concatenate([candidates, ops.cast(extra.ids, candidates.dtype)], axis=0)
    pairs = equal_pairs(item_ids, candidates)
    return ops.stack([ops.cast(ops.take(query_of, pairs[:, 0]), "int32"), pairs[:, 1]], axis=1)


def _places(batch: _BatchCandidates, item_ids: Tensor, extra: Items | None) -> tuple[Tensor, Tensor]:
    """Numbers of the rows and of the candidates, equal where they hold one item.

    They are places among the sorted ids, in float32, which holds them exactly and compares faster than int64.
    """
    ids = ops.concatenate([item_ids] if extra is None else [item_ids, extra.ids], axis=0)
    places = ops.cast(ops.searchsorted(ops.sort(ids), ids), "float32")
    rows = ops.shape(item_ids)[0]
    return places[:rows], ops.concatenate([batch.of_rows(places[:rows]), places[rows:]], axis=0)


def _in_order_of_queries(left_out: Tensor) -> Tensor:
    """The pairs sorted by their queries.

    Raises:
        RuntimeError: the backend has no shapes that depend on values.
    """
    if not data_dependent_shapes():
        raise RuntimeError("left_out needs the TensorFlow backend. Leave rows out by ids or by the mask of `extra`.")
    queries = left_out[:, 0]
    ordered = ops.all(queries[1:] >= queries[:-1])
    return ops.cond(ordered, lambda: left_out, lambda: ops.take(left_out, ops.argsort(queries), axis=0))


def _extra_bias(extra: Items) -> Tensor:
    """What is added to the scores of the extra items; minus infinity: not there."""
    if extra.log_probability is None:
        bias = ops.zeros(ops.shape(extra.embedding)[:1])
    else:
        bias = -ops.stop_gradient(ops.cast(extra.log_probability, "float32"))
    return bias if extra.mask is None else ops.where(extra.mask, bias, -float("inf"))


def _embedding(extra: Items) -> Tensor:
    """The extra items' vectors, zeros where none is there."""
    embedding = ops.cast(extra.embedding, "float32")
    return embedding if extra.mask is None else ops.where(ops.cast(extra.mask, "bool")[:, None], embedding, 0.0)


def _check_negatives(
    item_ids: Tensor | None,
    distinct: bool,
    extra: Items | None,
    hardest: int | None,
    in_batch: bool,
    query_of: Tensor | None,
) -> None:
    """Whether the options fit together.

    Raises:
        ValueError: they don't.
    """
    if distinct and item_ids is None:
        raise ValueError("distinct=True needs item_ids, to know which rows hold the same item. Received none.")
    if extra is not None and item_ids is None:
        raise ValueError("extra needs item_ids, to leave each row's own item out. Received none. Pass the batch's ids.")
    if query_of is not None and item_ids is None:
        raise ValueError("query_of needs item_ids, to leave each query's items out. Received none.")
    if not in_batch and extra is None:
        raise ValueError("in_batch=False leaves no negatives. Pass them as `extra`, or set in_batch=True.")
    if hardest is not None and hardest < 1:
        raise ValueError(f"hardest needs to be 1 or more, or None for all negatives. Received {hardest}.")


def _check_widths(query: Tensor, item: Tensor, extra: Items | None) -> None:
    """Whether all embeddings have one width.

    Raises:
        ValueError: they don't.
    """
    if query.shape[-1] != item.shape[-1]:
        raise ValueError(
            f"Both towers must end in one width. Received queries of width {query.shape[-1]} and items of width "
            f"{item.shape[-1]}. Give both towers a last layer of the same size."
        )
    if extra is not None and extra.embedding.shape[-1] != item.shape[-1]:
        raise ValueError(
            f"The extra items need the width of the batch's items, {item.shape[-1]}. Received width "
            f"{extra.embedding.shape[-1]}. Embed them with the same item tower."
        )
