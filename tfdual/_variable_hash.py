"""Variables in a hash: their types, shapes and values."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def add_variables(digest: Any, variables: Iterable[Any]) -> None:
    """Add TensorFlow variables to a hash of `hashlib`, in their order."""
    for variable in variables:
        values = np.ascontiguousarray(np.asarray(variable.value()))  # of a huge table, not a copy
        digest.update(repr((str(values.dtype), values.shape)).encode())
        digest.update(values.data)
