"""Triplet loss with the semi-hard negative of each positive."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import Candidates, mean_where, pair_up, positive_scores, read_candidates


@register
def semi_hard_triplet(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
    margin: float = 0.1,
    max_positives: int | None = None,
) -> Tensor:
    """How far each positive falls short of leading its semi-hard negative by a margin.

    `loss[b] = mean_p max(0, margin - s_p + s_n(p))`, where `n(p)` is the negative with the highest score below `s_p`;
    where none is below, the one with the lowest score.

    Negatives that beat the positive are passed over as long as there are others: early in training they lead to bad
    optima.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`.
        margin: float, in the unit of the scores. For unit vectors `|x - y|^2 = 2 - 2 x . y`: the paper's margin of 0.2
            between squared distances is one of 0.1 between cosines. Defaults to `0.1`.
        max_positives: int, as of `bpr`. Defaults to `None`: all.

    Returns:
        A scalar, float32: the mean over the queries that have a positive and a negative.

    Raises:
        ValueError: shapes that don't fit; `max_positives` below 1.

    Example:
        >>> float(semi_hard_triplet([[0.5, 0.75, 0.25, 0.0]], [[1, 0, 0, 0]], margin=0.5, max_positives=1))
        0.25

    Reference: Schroff et al., 2015, "FaceNet: a unified embedding for face recognition and clustering",
    arXiv:1503.03832
    """
    candidates = read_candidates(scores, labels, mask, sample_weight)
    positives, held = positive_scores(candidates, max_positives)
    losses = mean_where(ops.relu(margin - (positives - _semi_hard(positives, candidates))), held)
    return ops.sum(losses * candidates.weight)


def _semi_hard(positives: Tensor, candidates: Candidates) -> Tensor:
    """Score of the semi-hard negative of each positive, `(batch, positives)`; 0 where there is no negative."""
    scores = candidates.scores[:, None, :]
    negative = pair_up(ops.ones_like(positives, dtype="bool"), candidates.negative)  # (batch, positives, candidates)
    below = ops.logical_and(negative, scores < positives[:, :, None])
    highest_below = ops.max(ops.where(below, scores, -float("inf")), axis=2, initial=-float("inf"))
    lowest = ops.min(ops.where(negative, scores, float("inf")), axis=2, initial=float("inf"))
    chosen = ops.where(ops.any(below, axis=2), highest_below, lowest)
    return ops.where(ops.any(negative, axis=2), chosen, 0.0)
