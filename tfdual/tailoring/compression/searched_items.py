"""The items that a compressor's training rows search."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tfdual._typing import Tensor

AT_ONCE = 8_192


class SearchedItems:
    """All items, or as many as a step can take, drawn anew for each.

    Args:
        parts: mapping of part name -> `(items, width)`.
        at_once: int. The most that a step takes. Defaults to 8,192.
    """

    def __init__(self, parts: Mapping[str, np.ndarray], at_once: int = AT_ONCE) -> None:
        self.count = len(next(iter(parts.values())))
        self._parts = {name: ops.convert_to_tensor(part) for name, part in parts.items()}
        self._at_once, self._seeds = at_once, keras.random.SeedGenerator()

    def of_a_step(self) -> dict[str, Tensor]:
        """The parts of the items of this step."""
        if self.count <= self._at_once:
            return self._parts
        drawn = keras.random.randint((self._at_once,), 0, self.count, seed=self._seeds)
        return {name: ops.take(part, drawn, axis=0) for name, part in self._parts.items()}


def require_for_queries(base_loss: Callable[..., Tensor], settings: Mapping[str, Any] | None = None) -> None:
    """Refuse what can't be done with queries.

    Args:
        base_loss: function. Of the compressor.
        settings: mapping. Of Keras's `fit`. Defaults to `None`: none.

    Raises:
        TypeError: a loss that can't tell queries from items, as it takes no `asking`.
        ValueError: `validation_split`.
    """
    if "asking" not in inspect.signature(base_loss).parameters:
        raise TypeError(
            "With queries, base_loss takes `asking`, the number of rows that are compared with the rows behind, as "
            "`neighbour_distillation` does. This one doesn't: leave `queries` out, or add it."
        )
    if split := (settings or {}).get("validation_split"):
        raise ValueError(
            f"validation_split={split} would keep the last rows for validation, which are the "
            "queries, and they are to be learned from. Pass validation_data=..., such as other queries, instead."
        )
