"""Contrastive loss of queries with several positives."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import log_sum_less_score, mean_where, read_candidates


@register
def supervised_contrastive(
    scores: Tensor, labels: Tensor, mask: Tensor | None = None, sample_weight: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy of each positive against all candidates, the other positives too (`L_out` of the paper).

    `loss[b] = -mean_p log(exp(s_p) / sum_j exp(s_j))`, with `p` the positives of query `b` and `j` all its candidates.

    It is least when the positives of a query have one score. With one positive it is `sampled_softmax`.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`. Where the queries are the candidates too, mask each
            query's own place.

    Returns:
        A scalar, float32: the mean over the queries that have a positive and a negative.

    Raises:
        ValueError: shapes that don't fit.

    Example:
        >>> loss = supervised_contrastive([[2.0, 2.0, 0.0]], [[1, 1, 0]])
        >>> f"{float(loss):.4f}"  # log(2 + exp(-2))
        '0.7586'

    Reference: Khosla et al., 2020, "Supervised contrastive learning", arXiv:2004.11362
    """
    candidates = read_candidates(scores, labels, mask, sample_weight)
    losses = mean_where(log_sum_less_score(candidates.scores, candidates.kept), candidates.positive)
    return ops.sum(losses * candidates.weight)
