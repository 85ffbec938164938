"""Cosines among the vectors of a batch, and among those of a teacher."""

from keras import ops

from tfdual._typing import Tensor


def batch_cosines(vectors: Tensor, teacher_vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Of all pairs of rows, float32 `(batch, batch)` each; a row of zeros has the cosine 0 to all.

    Args:
        vectors: `(batch, dim)`, of any length.
        teacher_vectors: `(batch, teacher_dim)`. No gradient goes to them.

    Raises:
        ValueError: no two matrices of as many rows.
    """
    student, teacher = _cosines(vectors), ops.stop_gradient(_cosines(teacher_vectors))
    rows = {student.shape[0], teacher.shape[0]} - {None}
    if len(rows) > 1:
        raise ValueError(f"Each vector needs one of the teacher. Received {student.shape[0]} and {teacher.shape[0]}.")
    return student, teacher


def _cosines(vectors: Tensor) -> Tensor:
    vectors = ops.cast(ops.convert_to_tensor(vectors), "float32")
    if len(vectors.shape) != 2:
        raise ValueError(f"Vectors need the shape (batch, dim). Received the shape {tuple(vectors.shape)}.")
    unit = vectors * ops.rsqrt(ops.maximum(ops.sum(ops.square(vectors), axis=1, keepdims=True), 1e-12))
    return ops.matmul(unit, ops.transpose(unit))
