"""Logistic loss of pairs in the order of graded labels."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import mean_where, pair_up, query_weights, read_labels, read_mask, read_scores


@register
def pairwise_logistic(
    scores: Tensor, labels: Tensor, mask: Tensor | None = None, sample_weight: Tensor | None = None
) -> Tensor:
    """Logistic loss of each pair of candidates that the labels put in an order (RankNet).

    `loss[b] = mean_{i, j: label_i > label_j} log(1 + exp(-(s_i - s_j)))`.

    For labels of several grades, such as stars. With labels of 0 and 1 it is `bpr`, which needs less memory: here the
    pairs take memory for `batch x candidates x candidates` numbers.

    Args:
        scores, mask, sample_weight: see `tfdual.losses`.
        labels: float or int `(batch, candidates)`. Any numbers; only their order within a query matters.

    Returns:
        A scalar, float32: the mean over the queries that have two candidates of differing labels.

    Raises:
        ValueError: shapes that don't fit.

    Example:
        >>> loss = pairwise_logistic([[2.0, 1.0, 0.0]], [[5, 3, 3]])
        >>> f"{float(loss):.4f}"  # (log(1 + exp(-1)) + log(1 + exp(-2))) / 2
        '0.2201'

    Reference: Burges et al., 2005, "Learning to rank using gradient descent"
    """
    scores = read_scores(scores)
    labels, kept = read_labels(labels, scores), read_mask(mask, scores)
    ordered = ops.logical_and(labels[:, :, None] > labels[:, None, :], pair_up(kept, kept))
    weight = query_weights(ops.any(ordered, axis=(1, 2)), sample_weight)
    counts = ops.not_equal(weight, 0)[:, None]
    scores = ops.where(ops.logical_and(kept, counts), scores, 0.0)
    lead = scores[:, :, None] - scores[:, None, :]  # (batch, candidates, candidates)
    losses = mean_where(ops.softplus(-lead), ordered, axis=(1, 2))
    return ops.sum(losses * weight)
