"""Cosines among the vectors of a batch, and among those of a teacher."""

from typing import Any

from keras import ops

from tfdual._typing import Tensor
from tfdual._vectors import unit

OWN = 1 - 1e-5  # the cosine from which on two rows are one and the same


def batch_cosines(vectors: Tensor, teacher_vectors: Tensor, asking: Any = None) -> tuple[Tensor, Tensor, Tensor]:
    """Of all pairs of rows, float32 `(batch, batch)` each; a row of zeros has the cosine 0 to all.

    Args:
        vectors: `(batch, dim)`, of any length.
        teacher_vectors: `(batch, teacher_dim)`. No gradient goes to them.
        asking: int. Only the first rows are paired, each with the rows behind them: `(asking, batch - asking)`.
            Defaults to `None`: all, with all.

    Returns:
        Cosines of the vectors, those of the teacher, and which pairs are of two different rows.

    Raises:
        ValueError: no two matrices of as many rows.
    """
    student, teacher = _units(vectors), ops.stop_gradient(_units(teacher_vectors))
    if len({student.shape[0], teacher.shape[0]} - {None}) > 1:
        raise ValueError(f"Each vector needs one of the teacher. Received {student.shape[0]} and {teacher.shape[0]}.")
    first = 0 if asking is None else asking
    student, teacher = (ops.matmul(rows[:asking], ops.transpose(rows[first:])) for rows in (student, teacher))
    if asking is not None:
        return student, teacher, teacher < OWN
    return student, teacher, ops.logical_not(ops.eye(ops.shape(teacher)[0], dtype="bool"))


def _units(vectors: Tensor) -> Tensor:
    vectors = ops.convert_to_tensor(vectors)
    if len(vectors.shape) != 2:
        raise ValueError(f"Vectors need the shape (batch, dim). Received the shape {tuple(vectors.shape)}.")
    return unit(vectors)
