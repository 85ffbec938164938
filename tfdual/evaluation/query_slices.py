"""Columns of the queries whose values are reported one by one."""

import numpy as np

from tfdual._typing import Tensor
from tfdual.evaluation.corpus import row_values

MOST_LABELS = 20


def labels_of(batch: dict[str, Tensor], column: str) -> np.ndarray:
    """The value of each row, `(batch,)`; strings as `str`.

    Raises:
        ValueError: there is no such column, or it holds lists.
    """
    _, values = row_values(batch, column)
    if batch[column].shape.rank != 1:
        raise ValueError(f"The slice column '{column}' holds lists. Slice by a column of single values.")
    return np.array([value.decode() for value in values], dtype="U") if values.dtype == object else values


def check_labels(column: str, labels: np.ndarray) -> None:
    """Refuse a column of too many values.

    Raises:
        ValueError: with what to do.
    """
    if len(labels) > MOST_LABELS:
        raise ValueError(
            f"The slice column '{column}' holds more than {MOST_LABELS} values, such as {labels.tolist()[0]!r}. "
            "Slice by a column of few values: bucket numbers, and group ids, before."
        )
