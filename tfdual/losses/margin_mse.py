"""Distillation of a teacher's margins."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import mean_where, read_candidates, read_teacher_scores


@register
def margin_mse(
    scores: Tensor,
    labels: Tensor,
    teacher_scores: Tensor,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
) -> Tensor:
    """Mean squared difference of the student's and the teacher's lead of a positive over a negative.

    `loss[b] = mean_{p, n} ((s_p - s_n) - (t_p - t_n))^2`, with `p` the positives of query `b` and `n` its negatives.

    The teacher's scores may lie anywhere: only their differences matter. The pairs are never made: with `d = s - t` the
    mean is `(mean d_p - mean d_n)^2 + var d_p + var d_n`.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`.
        teacher_scores: `(batch, candidates)`, `t`, on the same scale as `scores`. No gradient goes to them.

    Returns:
        A scalar, float32: the mean over the queries that have a positive and a negative.

    Raises:
        ValueError: shapes that don't fit.

    Example:
        >>> float(margin_mse([[2.0, 1.0, 0.0]], [[1, 0, 0]], teacher_scores=[[9.0, 7.0, 6.0]]))  # (1^2 + 1^2) / 2
        1.0

    Reference: Hofstätter et al., 2020, "Improving efficient neural ranking models with cross-architecture knowledge
    distillation", arXiv:2010.02666
    """
    candidates = read_candidates(scores, labels, mask, sample_weight)
    difference = candidates.scores - read_teacher_scores(teacher_scores, candidates.kept)
    lead, spread = [], []
    for part in (candidates.positive, candidates.negative):
        middle = mean_where(difference, part)
        lead.append(middle)
        spread.append(mean_where(ops.square(difference - middle[:, None]), part))
    losses = ops.square(lead[0] - lead[1]) + spread[0] + spread[1]
    return ops.sum(losses * candidates.weight)
