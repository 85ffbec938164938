"""Which row names each value of a column of lists."""

from keras import ops

from tfdual._backend import is_ragged
from tfdual._typing import Tensor


def own_rows(lists: Tensor) -> Tensor:
    """The row of each value, one list after another, int32 `(values,)`.

    Args:
        lists: ragged `(batch, None)`, or `(batch, length)`.
    """
    if is_ragged(lists):
        return ops.cast(lists.value_rowids(), "int32")
    return ops.repeat(ops.arange(ops.shape(lists)[0], dtype="int32"), ops.shape(lists)[1])
