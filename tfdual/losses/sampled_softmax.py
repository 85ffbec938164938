"""Softmax over the candidates of each query."""

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._candidates import log_sum_less_score, mean_where, of_shape, read_candidates, read_scores


@register
def sampled_softmax(
    scores: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    sample_weight: Tensor | None = None,
    log_probability: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy of each positive against the negatives.

    `loss[b] = -mean_p log(exp(s_p) / (exp(s_p) + sum_n exp(s_n)))`, with `s = scores - log_probability`, `p` the
    positives of query `b` and `n` its negatives.

    The positives of a query don't compete with one another; in `supervised_contrastive` they do. With the whole corpus
    as candidates it is the full softmax.

    Args:
        scores, labels, mask, sample_weight: see `tfdual.losses`. Grades above 0 are all positives, so that a query
            without a 0 gives no loss; `pairwise_logistic` learns their order.
        log_probability: `(candidates,)` or `(batch, candidates)`. Natural logarithm of the probability that the
            candidate is sampled, up to a constant. No gradient goes to it. Defaults to `None`: no correction.

    Returns:
        A scalar, float32: the mean over the queries that have a positive and a negative.

    Raises:
        ValueError: shapes that don't fit.

    Example:
        >>> loss = sampled_softmax([[2.0, 0.0, 0.0]], [[1, 0, 0]])
        >>> f"{float(loss):.4f}"  # log(1 + 2 exp(-2))
        '0.2395'

    Reference: Bengio and Senécal, 2008, "Adaptive importance sampling to accelerate training of a neural probabilistic
    language model"
    """
    scores = read_scores(scores)
    if log_probability is not None:
        scores = scores - _correction(log_probability, scores)
    candidates = read_candidates(scores, labels, mask, sample_weight)
    others = log_sum_less_score(candidates.scores, candidates.negative)
    losses = mean_where(ops.softplus(others), candidates.positive)
    return ops.sum(losses * candidates.weight)


def _correction(log_probability: Tensor, scores: Tensor) -> Tensor:
    """What is subtracted from the scores, in float32."""
    values = ops.cast(ops.convert_to_tensor(log_probability), "float32")
    shape = scores.shape[1:] if len(values.shape) == 1 else scores.shape
    return ops.stop_gradient(of_shape("log_probability", values, shape, "Give one for each candidate."))
