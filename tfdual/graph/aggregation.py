"""What comes from the neighbours of a node, as one vector."""

from typing import Any

from keras import ops

from tfdual._backend import sum_in_order
from tfdual._typing import Tensor


def aggregate(messages: Tensor, rows: Tensor, count: Any, aggregation: str, there: Tensor | None = None) -> Tensor:
    """The sum, mean or maximum of each row's messages, float32 `(count, dim)`; zeros where a row has none.

    Args:
        messages: `(messages, dim)`.
        rows: int `(messages,)`, ascending. Which row each belongs to.
        count: int, how many rows.
        aggregation: `"sum"`, `"mean"` or `"max"`.
        there: bool `(messages,)`. False: nothing stands at this place. Defaults to `None`: all are there.
    """
    messages = ops.cast(messages, "float32")
    rows = ops.cast(rows, "int32")
    is_there = ops.ones_like(messages[:, :1]) if there is None else ops.cast(there, "float32")[:, None]
    held = sum_in_order(is_there, rows, count)  # (count, 1)
    if aggregation == "max":
        low = ops.where(is_there > 0, messages, -float("inf"))
        most = ops.segment_max(low, rows, count)
        return ops.where(held > 0, most, 0.0)
    sums = sum_in_order(messages * is_there, rows, count)
    return sums if aggregation == "sum" else sums / ops.maximum(held, 1)
