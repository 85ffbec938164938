"""Bayesian personalized ranking."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import mean_where, pair_up, positive_scores, read_candidates


@register
def bpr(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
    max_positives: int | None = None,
) -> Tensor:
    """Logistic loss of each pair of a positive and a negative.

    `loss[b] = mean_{p, n} -log(sigmoid(s_p - s_n))`, with `p` the positives of query `b` and `n` its negatives.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`. Grades above 0 are all positives, so that a query
            without a 0 gives no loss; `pairwise_logistic` learns their order.
        max_positives: int. How many positives of a query are paired; where it has more, those of the lowest score.
            Pairs take memory for `batch x max_positives x candidates` numbers, so set it where you can: to 1 if each
            query has one positive. Defaults to `None`: all, with memory for as many as there are candidates.

    Returns:
        A scalar, float32: the mean over the queries that have a positive and a negative.

    Raises:
        ValueError: shapes that don't fit; `max_positives` below 1.

    Example:
        >>> loss = bpr([[2.0, 0.0, 0.0]], [[1, 0, 0]], max_positives=1)
        >>> f"{float(loss):.4f}"  # log(1 + exp(-2))
        '0.1269'

    Reference: Rendle et al., 2009, "BPR: Bayesian personalized ranking from implicit feedback", arXiv:1205.2618
    """
    candidates = read_candidates(scores, labels, mask, sample_weight)
    positives, held = positive_scores(candidates, max_positives)
    lead = positives[:, :, None] - candidates.scores[:, None, :]  # (batch, positives, candidates)
    losses = mean_where(ops.softplus(-lead), pair_up(held, candidates.negative), axis=(1, 2))
    return ops.sum(losses * candidates.weight)
