"""Cosine contrastive loss."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import mean_where, read_candidates


@register
def cosine_contrastive(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
    margin: float = 0.5,
    negative_weight: float = 1.0,
) -> Tensor:
    """Pull the cosines of positives to 1, and push those of negatives below a margin.

    `loss[b] = mean_p(1 - s_p) + negative_weight * mean_n max(0, s_n - margin)`, with `p` the positives of query `b` and
    `n` its negatives.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`. The scores are cosines, not divided by a temperature.
        margin: float from -1 to 1. A negative below it has no loss. Defaults to `0.5`.
        negative_weight: float, at least 0. With many easy negatives the mean over them is small: raise it then.
            Defaults to `1.0`.

    Returns:
        A scalar, float32: the mean over the queries that have a positive and a negative.

    Raises:
        ValueError: shapes that don't fit; `margin` or `negative_weight` out of range.

    Example:
        >>> float(cosine_contrastive([[0.75, 0.625, 0.0]], [[1, 0, 0]], margin=0.5, negative_weight=2.0))
        0.375

    Reference: Mao et al., 2021, "SimpleX: a simple and strong baseline for collaborative filtering", arXiv:2109.12613
    """
    if not -1 <= margin <= 1:
        raise ValueError(f"margin needs to be a cosine, from -1 to 1. Received {margin}.")
    if not negative_weight >= 0:
        raise ValueError(f"negative_weight needs to be 0 or more. Received {negative_weight}.")
    candidates = read_candidates(scores, labels, mask, sample_weight)
    pull = mean_where(1 - candidates.scores, candidates.positive)
    push = mean_where(ops.relu(candidates.scores - margin), candidates.negative)
    return ops.sum((pull + negative_weight * push) * candidates.weight)
