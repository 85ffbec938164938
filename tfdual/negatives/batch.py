"""What sources of negatives see of a training step."""

from collections.abc import Callable
from dataclasses import dataclass

from tfdual._items import Items
from tfdual._typing import Tensor


@dataclass(frozen=True)
class Batch:
    """One training batch, encoded.

    Args:
        columns: dict of name -> `(batch, ...)`, the model-ready columns.
        query: `(batch, dim)`, not divided by a temperature.
        item: Items. Row `b` is the positive of query `b`. `log_probability` is that of one training example to hold
            the item; None where sampling is not corrected for.
        encode_item: function of model-ready item columns, dict of name -> `(items, ...)`, to `Items` with a gradient,
            whose ids and log-probability come from the columns.
    """

    columns: dict[str, Tensor]
    query: Tensor
    item: Items
    encode_item: Callable[[dict[str, Tensor]], Items]
