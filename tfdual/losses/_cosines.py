"""Cosines among the vectors of a batch, and among those of a teacher."""

from typing import Any

from keras import ops

from tfdual._typing import Tensor

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
    rows = {student.shape[0], teacher.shape[0]} - {None}
    if len(rows) > 1:
        raise ValueError(f"Each vector needs one of the teacher. Received {student.shape[0]} and {teacher.shape[0]}.")
    first = 0 if asking is None else asking
    student, teacher = (ops.matmul(unit[:asking], ops.transpose(unit[first:])) for unit in (student, teacher))
    if asking is not None:
        return student, teacher, teacher < OWN
    return student, teacher, ops.logical_not(ops.eye(ops.shape(teacher)[0], dtype="bool"))


def _units(vectors: Tensor) -> Tensor:
    vectors = ops.cast(ops.convert_to_tensor(vectors), "float32")
    if len(vectors.shape) != 2:
        raise ValueError(f"Vectors need the shape (batch, dim). Received the shape {tuple(vectors.shape)}.")
    return vectors * ops.rsqrt(ops.maximum(ops.sum(ops.square(vectors), axis=1, keepdims=True), 1e-12))
