"""Ids against the table that they are looked up in, in debug mode."""

from keras import ops

from tfdual._backend import is_ragged, refuse
from tfdual._debug import is_debug
from tfdual._typing import Tensor


def check_ids(ids: Tensor, cardinality: int, column_name: str) -> None:
    """In debug mode, refuse ids outside `0 .. cardinality - 1`; else do nothing.

    Args:
        ids: int ids of any shape, dense or ragged.
        cardinality: int. Rows of the table.
        column_name: str. What the message calls the ids.

    Raises:
        ValueError: an id is outside the table; in a graph, TensorFlow's `InvalidArgumentError` as it runs.
    """
    if not is_debug():
        return
    ids = ids.flat_values if is_ragged(ids) else ids
    message = (
        f"Column '{column_name}' holds ids outside its table of {cardinality} rows, 0 .. {cardinality - 1}. "
        "Map it with the `Preprocessor` that the schema comes from. Such ids are:"
    )
    refuse(ops.logical_or(ids < 0, ids >= cardinality), ids, message)
