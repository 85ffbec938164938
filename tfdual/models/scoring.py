"""Scores of queries and candidates, corrected, masked, and their loss."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from keras import ops

from tfdual._backend import distinct_rows, gathered_lists, matching_pairs, replicas
from tfdual._items import Items, join_items
from tfdual._typing import Tensor
from tfdual.interactions import Interaction
from tfdual.losses import in_batch_softmax
from tfdual.models.over_replicas import share_of_the_batch
from tfdual.models.pairs import KnownItems, Pairs
from tfdual.negatives.all_replicas import items_of_all_replicas

Loss = Callable[..., Tensor]
Scale = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Scoring:
    """How a batch of pairs becomes a number.

    Args:
        interaction: what a query and an item become a score by.
        loss: a function of scores, labels, mask and sample weight, such as those of `tfdual.losses`; `None`: the
            softmax over candidates, in blocks, for the inner product alone.
        scales: what divides by the temperature: scores of items for a query, and of queries for an item.
        symmetric: bool. The mean of both directions.
        several_positives: bool. Known items among the candidates are positives too; else they are left out.
        distinct: bool. Score an item that repeats in the batch once.
        in_batch: bool. The batch's other items are negatives.
        hardest: int, or `None` for all. How many of the batch's items, the highest scores first, are negatives of a
            query; the extra ones all are.
    """

    interaction: Interaction
    loss: Loss | None
    scales: tuple[Scale, Scale]
    symmetric: bool
    several_positives: bool
    distinct: bool
    in_batch: bool
    hardest: int | None

    def __call__(self, pairs: Pairs, extra: Items | None) -> Tensor:
        """The loss of this replica's pairs, a float32 scalar; over the replicas it adds up to that of the whole batch.

        Args:
            pairs: Pairs.
            extra: candidates from outside the batch.
        """
        loss = self._one_way(pairs, extra, self.scales[0])
        if self.symmetric:
            known = None
            if pairs.known is not None:
                lists = gathered_lists(pairs.known.lists, pairs.known.rows)
                known = matching_pairs(lists, pairs.item.ids)[:, ::-1]
            queries = Items(pairs.query, pairs.item.ids)
            turned = Pairs(pairs.item.embedding, queries, pairs.weight)
            other_way = replace(self, interaction=_Turned(self.interaction))
            loss = (loss + other_way._one_way(turned, None, self.scales[1], known, distinct=False)) / 2
        return loss * share_of_the_batch(pairs.query, pairs.weight)

    def _one_way(
        self, pairs: Pairs, extra: Items | None, scale: Scale, known: Tensor | None = None, distinct: bool = True
    ) -> Tensor:
        """Each query of the pairs against the items of the batch and the extra ones."""
        in_batch, always = self.in_batch, 0 if extra is None else ops.shape(extra.ids)[0]
        if in_batch and replicas() > 1:
            extra, in_batch = (
                join_items([items_of_all_replicas(pairs.item), *([] if extra is None else [extra])]),
                False,
            )
        candidates = join_items([*([pairs.item] if in_batch else []), *([] if extra is None else [extra])])
        if candidates is None:
            raise ValueError("No query has a negative. Add `tfdual.negatives.InBatch()`, or another source.")
        distinct = self.distinct and distinct and in_batch
        query, query_of, lists = pairs.query, None, pairs.known
        if self.loss is None and lists is not None and lists.one_query:
            query, query_of, lists = _queries_once(query, lists)
        if lists is not None:
            known = _known_pairs(lists, pairs.item.ids, candidates.ids, distinct and self.loss is None)
        if self.loss is not None:
            return self._of_matrix(self.loss, pairs, candidates, scale, known, always)
        return in_batch_softmax(
            scale(query),
            pairs.item.embedding,
            pairs.item.ids,
            pairs.item.log_probability,
            pairs.weight,
            distinct,
            extra,
            known,
            self.hardest,
            in_batch,
            query_of,
            pairs.batch_row,
            always,
        )

    def _of_matrix(
        self, loss: Loss, pairs: Pairs, candidates: Items, scale: Scale, known: Tensor | None, always: Tensor | int
    ) -> Tensor:
        """The loss of the whole matrix: column 0 holds each query's own item, the others the candidates.

        The last `always` candidates are there whatever `hardest` says.
        """
        own = self.interaction.each(pairs.query, pairs.item.embedding[:, None])
        others = self.interaction.among(pairs.query, ops.cast(candidates.embedding, pairs.query.dtype))
        scores = ops.cast(scale(ops.concatenate([own, others], axis=1)), "float32")  # (pairs, 1 + candidates)
        if pairs.item.log_probability is not None and candidates.log_probability is not None:
            correction = ops.broadcast_to(candidates.log_probability, ops.shape(others))
            scores = scores - ops.concatenate([pairs.item.log_probability[:, None], correction], axis=1)
        kept = ops.not_equal(pairs.item.ids[:, None], candidates.ids)
        if candidates.mask is not None:
            kept = ops.logical_and(kept, candidates.mask)
        if candidates.row is not None:
            batch_row = ops.arange(ops.shape(kept)[0]) if pairs.batch_row is None else pairs.batch_row
            own_row = ops.equal(ops.cast(batch_row, "int32")[:, None], candidates.row)
            kept = ops.logical_and(kept, ops.logical_or(own_row, candidates.row < 0))
        positive = ops.zeros_like(kept)
        if known is not None:
            marked = ops.logical_and(kept, _marked(known, ops.shape(kept)))
            kept = ops.logical_and(kept, ops.logical_not(marked))
            positive = marked if self.several_positives else positive
        if self.hardest is not None:
            among = ops.shape(kept)[1] - always
            of_batch = _hardest(scores[:, 1 : 1 + among], kept[:, :among], self.hardest)
            kept = ops.concatenate([of_batch, kept[:, among:]], axis=1)
        first = ops.ones_like(own, dtype="bool")
        labels = ops.concatenate([first, positive], axis=1)
        mask = ops.concatenate([first, ops.logical_or(kept, positive)], axis=1)
        return loss(scores, labels, mask, pairs.weight)


@dataclass(frozen=True)
class _Turned(Interaction):
    """Scores with the sides exchanged: of items as what asks, among queries as what is found."""

    name = "turned"
    of: Interaction

    def among(self, query: Tensor, item: Tensor) -> Tensor:
        return ops.transpose(self.of.among(item, query))

    def each(self, query: Tensor, item: Tensor) -> Tensor:
        return self.of.each(item[:, 0], query[:, None])  # a list of one: the query that the item belongs to

    def pooled(self, query: Tensor) -> Tensor:
        return self.of.pooled(query)


def _queries_once(query: Tensor, known: KnownItems) -> tuple[Tensor, Tensor, KnownItems | None]:
    """The distinct queries, which of them each pair has, and their items on other replicas, where there are any.

    The loss itself leaves out the items of a query's pairs.
    """
    first, query_of, _ = distinct_rows(known.rows)
    elsewhere = KnownItems(known.lists, ops.take(known.rows, first)) if replicas() > 1 else None
    return ops.take(query, first, axis=0), query_of, elsewhere


def _known_pairs(known: KnownItems, own: Tensor, ids: Tensor, distinct: bool) -> Tensor:
    """Pairs of a query and the place of a candidate that is known to be right for it, `(pairs, 2)`.

    Of the batch's items, which come first, `distinct` names each by its first row: where a popular one stands a
    hundred times, that is a hundredth of the pairs.
    """
    if not distinct:
        return matching_pairs(known.lists, ids, known.rows)
    first = distinct_rows(own)[0]
    extra = ops.arange(ops.shape(own)[0], ops.shape(ids)[0], dtype=first.dtype)
    places = ops.concatenate([first, extra], axis=0)
    found = matching_pairs(known.lists, ops.take(ids, places), known.rows)
    return ops.stack([found[:, 0], ops.take(places, found[:, 1])], axis=1)


def _marked(places: Tensor, shape: tuple) -> Tensor:
    """True at these places, `(places, 2)`, of a matrix."""
    return ops.scatter(places, ops.ones_like(places[:, 0], dtype="float32"), shape) > 0


def _hardest(scores: Tensor, kept: Tensor, count: int) -> Tensor:
    """Of the candidates that are kept, those of the `count` highest scores."""
    scores = ops.where(kept, scores, -float("inf"))
    least = ops.top_k(scores, ops.minimum(count, ops.shape(scores)[1]))[0][:, -1:]
    return ops.logical_and(kept, scores >= least)
