"""Distillation of who is whose neighbour."""

from typing import Any

from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.losses._cosines import batch_cosines
from tfdual.losses.kl_distillation import kl_distillation


@register
def neighbour_distillation(
    vectors: Tensor, teacher_vectors: Tensor, temperature: float = 0.05, asking: Any = None
) -> Tensor:
    """How far each vector's order of the others of its batch lies from that by a teacher's vectors of any width.

    To each row, the other rows are neighbours with `p_i = softmax_{j != i}(t_ij / temperature)` by the teacher's
    cosines `t`, and with `q_i`, in the same way, by those of the vectors. Then

    `loss = mean_i KL(p_i, q_i)`

    Near neighbours count, and how near far ones are hardly does: what a search by the vectors needs. Where all cosines
    to a row are off by the same, nothing is lost. `similarity_distillation` asks for the cosines themselves.

    Args:
        vectors: `(batch, dim)`, of any length.
        teacher_vectors: `(batch, teacher_dim)`. No gradient goes to them.
        temperature: float, above 0. The lower, the fewer neighbours count. Defaults to 0.05.
        asking: int. Only the first rows have neighbours, and they are among the rows behind: queries first, then the
            items that they search. A row of the same direction is no neighbour but itself. Defaults to `None`: each row
            has neighbours, and they are all others.

    Returns:
        A scalar, float32; 0 for a batch of less than three rows, which has no order.

    Raises:
        ValueError: no two matrices of as many rows; a temperature that is not above 0.

    Example:
        >>> from keras import ops
        >>> teacher = ops.convert_to_tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
        >>> float(neighbour_distillation(teacher, teacher))
        0.0
        >>> loss = neighbour_distillation([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]], teacher)
        >>> f"{float(loss):.4f}"  # KL of 16, 12 and 1.325
        '9.7750'

        >>> asked = neighbour_distillation([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]], teacher, asking=1)
        >>> f"{float(asked):.4f}"  # KL of the first row's neighbours alone
        '16.0000'

    Reference: Abbasi Koohpayegani et al., 2020, "CompRess", arXiv:2010.14713; Fang et al., 2021, "SEED:
    self-supervised distillation for visual representation", arXiv:2101.04731
    """
    if not temperature > 0:
        raise ValueError(f"temperature needs to be above 0. Received {temperature}.")
    student, teacher, others = batch_cosines(vectors, teacher_vectors, asking)
    return kl_distillation(student / temperature, teacher / temperature, mask=others)
