"""Distillation of who is like whom."""

from typing import Any

from keras import ops

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._cosines import batch_cosines


@register
def similarity_distillation(
    vectors: Tensor,
    teacher_vectors: Tensor,
    margin: float = 0.5,
    temperature: float = 0.1,
    positive_weight: float = 1.0,
    negative_weight: float = 1.0,
    asking: Any = None,
) -> Tensor:
    """How far the cosines among the vectors of a batch lie from those among a teacher's vectors of any width.

    Of each pair of rows both say how sure they are that the two are alike: `p_ij = sigmoid((t_ij - margin) /
    temperature)` with the teacher's cosine `t`, and `q_ij` in the same way with that of the vectors. Then

    `loss = sum_{i != j} w_ij KL(p_ij, q_ij) / sum_{i != j} w_ij`,
    `w_ij = positive_weight * p_ij + negative_weight * (1 - p_ij)`

    It is 0 where all cosines are the teacher's, whatever the weights. Cosines far from the margin, which both sides
    are sure of, may differ. A high temperature asks for all of them alike: the loss comes to a mean of
    `(s_ij - t_ij)^2 / (8 temperature^2)`.

    Args:
        vectors: `(batch, dim)`, of any length.
        teacher_vectors: `(batch, teacher_dim)`. No gradient goes to them.
        margin: float. The cosine from which on a pair is alike. Defaults to 0.5.
        temperature: float, above 0. How far from the margin cosines still matter. Defaults to 0.1.
        positive_weight: float, at least 0. What the pairs count that are alike to the teacher. Defaults to 1.
        negative_weight: float, at least 0. What the others count. Defaults to 1.
        asking: int. Pairs are those of the first rows with the rows behind. Defaults to `None`: all.

    Returns:
        A scalar, float32; 0 for a batch without a pair.

    Raises:
        ValueError: no two matrices of as many rows; a temperature that is not above 0; a negative weight, or both 0.

    Example:
        >>> teacher = ops.convert_to_tensor([[1.0, 0.0, 0.0], [0.5, 0.75**0.5, 0.0]])
        >>> float(similarity_distillation([[1.0, 0.0], [0.5, 0.75**0.5]], teacher))
        0.0
        >>> f"{float(similarity_distillation([[1.0, 0.0], [0.0, 1.0]], teacher)):.4f}"  # sure that they aren't
        '1.8136'

    Reference: on similarities, Tung and Mori, 2019, "Similarity-preserving knowledge distillation", arXiv:1907.09682;
    Park et al., 2019, "Relational knowledge distillation", arXiv:1904.05068
    """
    if not temperature > 0:
        raise ValueError(f"temperature needs to be above 0. Received {temperature}.")
    if min(positive_weight, negative_weight) < 0 or not positive_weight + negative_weight > 0:
        raise ValueError(
            "The weights of pairs are at least 0, and one is above. Received "
            f"positive_weight={positive_weight} and negative_weight={negative_weight}."
        )
    student, teacher, others = batch_cosines(vectors, teacher_vectors, asking)
    student, teacher = (student - margin) / temperature, (teacher - margin) / temperature
    alike = ops.sigmoid(teacher)
    weight = (positive_weight * alike + negative_weight * (1.0 - alike)) * ops.cast(others, "float32")
    divergence = ops.softplus(student) - ops.softplus(teacher) - alike * (student - teacher)
    total = ops.sum(weight)
    return ops.sum(weight * divergence) / ops.where(total > 0, total, 1.0)
