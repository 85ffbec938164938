"""Contrastive loss with the positive left out of the denominator."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import log_sum_less_score, mean_where, read_candidates


@register
def decoupled_info_nce(
    scores: Tensor, labels: Tensor, mask: Tensor | None = None, sample_weight: Tensor | None = None
) -> Tensor:
    """Mean of the logarithm of the negatives' sum less the positive's score.

    `loss[b] = mean_p(-s_p + log sum_n exp(s_n))`, with `p` the positives of query `b` and `n` its negatives.

    As the softmax, but a query whose positive already leads keeps its full gradient, which helps small batches. The
    loss may be below 0, and has no least value unless the scores are bounded, as cosines are.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`.

    Returns:
        A scalar, float32: the mean over the queries that have a positive and a negative.

    Raises:
        ValueError: shapes that don't fit.

    Example:
        >>> loss = decoupled_info_nce([[2.0, 0.0, 0.0]], [[1, 0, 0]])
        >>> f"{float(loss):.4f}"  # log(2) - 2
        '-1.3069'

    Reference: Yeh et al., 2021, "Decoupled contrastive learning", arXiv:2110.06848
    """
    candidates = read_candidates(scores, labels, mask, sample_weight)
    losses = mean_where(log_sum_less_score(candidates.scores, candidates.negative), candidates.positive)
    return ops.sum(losses * candidates.weight)
