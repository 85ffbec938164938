"""Hinge loss over all negatives."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import mean_where, pair_up, positive_scores, read_candidates


@register
def hinge(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
    margin: float = 1.0,
    max_positives: int | None = None,
) -> Tensor:
    """How far each positive falls short of leading each negative by a margin.

    `loss[b] = mean_{p, n} max(0, margin - s_p + s_n)`, with `p` the positives of query `b` and `n` its negatives.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`. Grades above 0 are all positives, so that a query
            without a 0 gives no loss; `pairwise_logistic` learns their order.
        margin: float, in the unit of the scores. Defaults to `1.0`.
        max_positives: int, as of `bpr`. Defaults to `None`: all.

    Returns:
        A scalar, float32: the mean over the queries that have a positive and a negative.

    Raises:
        ValueError: shapes that don't fit; `max_positives` below 1.

    Example:
        >>> float(hinge([[2.0, 1.5, 0.0]], [[1, 0, 0]], margin=1.0, max_positives=1))  # (0.5 + 0) / 2
        0.25

    Reference: Weston and Watkins, 1999, "Support vector machines for multi-class pattern recognition"
    """
    candidates = read_candidates(scores, labels, mask, sample_weight)
    positives, held = positive_scores(candidates, max_positives)
    lead = positives[:, :, None] - candidates.scores[:, None, :]  # (batch, positives, candidates)
    losses = mean_where(ops.relu(margin - lead), pair_up(held, candidates.negative), axis=(1, 2))
    return ops.sum(losses * candidates.weight)
