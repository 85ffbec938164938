"""Binary cross-entropy of each candidate by itself."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import mean_where, read_candidates


@register
def binary_cross_entropy(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
    positive_weight: float = 1.0,
) -> Tensor:
    """Mean cross-entropy of each candidate being a positive or not, the scores being logits.

    `loss[b] = mean_j(-positive_weight * y_j * log(sigmoid(s_j)) - (1 - y_j) * log(1 - sigmoid(s_j)))`, with `y_j` 1
    for a positive and 0 for a negative.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`.
        positive_weight: float, at least 0. How many times a positive counts in the sum; the mean still divides by the
            number of candidates. Defaults to `1.0`.

    Returns:
        A scalar, float32: the mean over the queries that have any candidate, a positive or a negative.

    Raises:
        ValueError: shapes that don't fit; `positive_weight` below 0.

    Example:
        >>> loss = binary_cross_entropy([[2.0, 0.0]], [[1, 0]], positive_weight=3.0)
        >>> f"{float(loss):.4f}"  # (3 log(1 + exp(-2)) + log(2)) / 2
        '0.5370'

    Reference: He et al., 2017, "Neural collaborative filtering", arXiv:1708.05031
    """
    if not positive_weight >= 0:
        raise ValueError(f"positive_weight needs to be 0 or more. Received {positive_weight}.")
    candidates = read_candidates(scores, labels, mask, sample_weight, one_of_each=False)
    scores = candidates.scores
    terms = ops.where(candidates.positive, positive_weight * ops.softplus(-scores), ops.softplus(scores))
    return ops.sum(mean_where(terms, candidates.kept) * candidates.weight)
