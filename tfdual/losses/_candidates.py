"""Candidates of each query, read once for every loss, and sums over those that take part."""

from dataclasses import dataclass

from keras import ops

from tfdual._backend import replicas, summed_over_replicas
from tfdual._typing import Tensor


@dataclass(frozen=True)
class Candidates:
    """What the queries that count are scored against. All false, and of score 0, for the others."""

    scores: Tensor  # (batch, candidates), float32; 0 where left out
    positive: Tensor  # (batch, candidates), bool
    negative: Tensor  # (batch, candidates), bool
    weight: Tensor  # (batch,), the share of each query in the mean

    @property
    def kept(self) -> Tensor:
        """Which candidates take part, `(batch, candidates)` bool."""
        return ops.logical_or(self.positive, self.negative)


def read_candidates(
    scores: Tensor, labels: Tensor, mask: Tensor | None, sample_weight: Tensor | None, one_of_each: bool = True
) -> Candidates:
    """Scores and labels without what is left out.

    Args:
        scores, labels, mask, sample_weight: as a loss takes them.
        one_of_each: bool. A query counts if it has a positive and a negative; else, if it has any candidate.
    """
    scores = read_scores(scores)
    kept = read_mask(mask, scores)
    labeled = read_labels(labels, scores) > 0
    positive = ops.logical_and(kept, labeled)
    negative = ops.logical_and(kept, ops.logical_not(labeled))
    counted = ops.any(kept, axis=1)
    if one_of_each:
        counted = ops.logical_and(ops.any(positive, axis=1), ops.any(negative, axis=1))
    weight = query_weights(counted, sample_weight)
    counts = ops.not_equal(weight, 0)[:, None]
    positive, negative = ops.logical_and(positive, counts), ops.logical_and(negative, counts)
    return Candidates(ops.where(ops.logical_or(positive, negative), scores, 0.0), positive, negative, weight)


def read_scores(scores: Tensor) -> Tensor:
    """Scores in float32.

    Raises:
        ValueError: they are not `(batch, candidates)`.
    """
    scores = ops.cast(ops.convert_to_tensor(scores), "float32")
    if len(scores.shape) != 2:
        raise ValueError(f"scores need the shape (batch, candidates). Received the shape {tuple(scores.shape)}.")
    return scores


def read_labels(labels: Tensor, scores: Tensor) -> Tensor:
    """Labels in float32, of the shape of `scores`."""
    advice = "Make them of an index with `mark_positives(index, candidates)`."
    return ops.cast(of_shape("labels", labels, scores.shape, advice), "float32")


def read_mask(mask: Tensor | None, scores: Tensor) -> Tensor:
    """Which candidates are not left out, bool, of the shape of `scores`."""
    if mask is None:
        return ops.ones_like(scores, dtype="bool")
    return ops.cast(of_shape("mask", mask, scores.shape, "Repeat it for each query."), "bool")


def read_teacher_scores(teacher_scores: Tensor, kept: Tensor) -> Tensor:
    """A teacher's scores in float32, without a gradient; 0 where they are not `kept`."""
    values = of_shape("teacher_scores", teacher_scores, kept.shape, "Give one for each score.")
    return ops.where(kept, ops.stop_gradient(ops.cast(values, "float32")), 0.0)


def query_weights(counted: Tensor, sample_weight: Tensor | None) -> Tensor:
    """Share of each query in the mean over those that are `counted`, `(batch,)`: they add to 1, or all are 0.

    On replicas the mean is over the whole batch: times the part that the replica's rows are of it, counted or not, the
    shares of all replicas add to 1.
    """
    given = ops.ones_like(counted, dtype="float32")
    if sample_weight is not None:
        advice = "Give one weight for each query."
        given = ops.cast(of_shape("sample_weight", sample_weight, counted.shape, advice), "float32")
    weight = ops.where(counted, given, 0.0)
    total = ops.sum(weight)
    if replicas() > 1:
        own = ops.sum(given)
        total, rows = ops.unstack(summed_over_replicas(ops.stack([total, own])), 2)
        total = total * own / ops.where(rows > 0, rows, 1.0)
    return weight / ops.where(total > 0, total, 1.0)


def positive_scores(candidates: Candidates, max_positives: int | None) -> tuple[Tensor, Tensor]:
    """Scores of each query's positives and which of them there are, `(batch, positives)`; the lowest, if not all.

    Raises:
        ValueError: `max_positives` is below 1.
    """
    if max_positives is None:
        return candidates.scores, candidates.positive
    if max_positives < 1:
        raise ValueError(f"max_positives needs to be 1 or more, or None for all. Received {max_positives}.")
    size = candidates.scores.shape[1]
    count = ops.minimum(max_positives, ops.shape(candidates.scores)[1]) if size is None else min(max_positives, size)
    _, places = ops.top_k(ops.where(candidates.positive, -candidates.scores, -float("inf")), count)
    scores, positive = (ops.take_along_axis(of, places, axis=1) for of in (candidates.scores, candidates.positive))
    return scores, positive


def pair_up(left: Tensor, right: Tensor) -> Tensor:
    """Which `(left, right)` are both true, `(batch, left, right)` bool."""
    return ops.logical_and(left[:, :, None], right[:, None, :])


def mean_where(values: Tensor, kept: Tensor, axis: int | tuple[int, ...] = 1) -> Tensor:
    """Mean of the values that are `kept`; 0 where none is. All values are finite."""
    count = ops.sum(ops.cast(kept, "float32"), axis=axis)
    return ops.sum(ops.where(kept, values, 0.0), axis=axis) / ops.maximum(count, 1.0)


def log_sum_less_score(scores: Tensor, kept: Tensor) -> Tensor:
    """`log(sum_j exp(s_j)) - s_i` of each candidate `i`, with `j` those that are `kept`; `-s_i` where none is.

    The scores are finite. What is subtracted first is the largest score, so that no digit of a difference is lost.
    """
    some = ops.any(kept, axis=1, keepdims=True)
    top = ops.max(ops.where(kept, scores, -float("inf")), axis=1, keepdims=True, initial=-3e38)
    top = ops.stop_gradient(ops.where(some, top, 0.0))
    shares = ops.where(kept, ops.exp(ops.where(kept, scores - top, 0.0)), 0.0)
    return (top - scores) + ops.log(ops.where(some, ops.sum(shares, axis=1, keepdims=True), 1.0))


def of_shape(name: str, values: Tensor, shape: tuple, advice: str) -> Tensor:
    """`values` as a tensor, once its shape is `shape` as far as both are known."""
    values = ops.convert_to_tensor(values)
    same = len(values.shape) == len(shape) and all(
        one is None or other is None or one == other for one, other in zip(values.shape, shape, strict=True)
    )
    if not same:
        raise ValueError(f"{name} needs the shape {tuple(shape)}. Received the shape {tuple(values.shape)}. {advice}")
    return values
