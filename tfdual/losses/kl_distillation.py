"""Distillation of a teacher's distribution over the candidates."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import (
    log_sum_less_score,
    query_weights,
    read_mask,
    read_scores,
    read_teacher_scores,
)


@register
def kl_distillation(
    scores: Tensor,
    teacher_scores: Tensor,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Kullback-Leibler divergence of the student's softmax over the candidates from the teacher's.

    `loss[b] = temperature^2 * sum_j p_j * log(p_j / q_j)`, with `p = softmax(teacher_scores / temperature)` and
    `q = softmax(scores / temperature)` over the candidates of query `b`. The square keeps gradients of one size
    whatever the temperature.

    Args:
        scores, mask, sample_weight: see `tfdual.losses`.
        teacher_scores: `(batch, candidates)`. No gradient goes to them.
        temperature: float, above 0. Divides the scores of both, besides what they were divided by before. Above 1, the
            low scores of the teacher matter more. Defaults to `1.0`.

    Returns:
        A scalar, float32: the mean over the queries that have two candidates or more.

    Raises:
        ValueError: shapes that don't fit; `temperature` that is not above 0.

    Example:
        >>> loss = kl_distillation([[0.0, 0.0]], teacher_scores=[[2.0, 0.0]])
        >>> f"{float(loss):.4f}"  # log(2) - 0.3653, the entropy of (0.8808, 0.1192)
        '0.3278'

    Reference: Hinton et al., 2015, "Distilling the knowledge in a neural network", arXiv:1503.02531
    """
    if not temperature > 0:
        raise ValueError(f"temperature needs to be above 0. Received {temperature}.")
    scores = read_scores(scores)
    kept = read_mask(mask, scores)
    weight = query_weights(ops.sum(ops.cast(kept, "int32"), axis=1) > 1, sample_weight)
    kept = ops.logical_and(kept, ops.not_equal(weight, 0)[:, None])
    teacher = -log_sum_less_score(read_teacher_scores(teacher_scores, kept) / temperature, kept)
    student = -log_sum_less_score(ops.where(kept, scores, 0.0) / temperature, kept)
    terms = ops.where(kept, ops.exp(ops.where(kept, teacher, 0.0)) * (teacher - student), 0.0)
    return temperature**2 * ops.sum(ops.sum(terms, axis=1) * weight)
