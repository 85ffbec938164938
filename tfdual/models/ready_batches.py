"""Rows, raw or model-ready, as batches for an encoder."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.data.told_plainly import told_plainly
from tfdual.preprocessing import Preprocessor

BATCH = 4_096
STRING_BYTES = 48  # a short one, with TensorFlow's record of it
Columns = dict[str, Tensor]


class ReadyBatches:
    """Pairs of a batch as it came and the same batch model-ready; the same object where it came so.

    Args:
        rows: raw rows, or a dataset of model-ready batches.
        preprocessor: Preprocessor, for raw rows. `None` for a dataset.
        keep: int. Where all pairs of raw rows have at most so many bytes, the first whole pass keeps them for those
            that follow. Defaults to 0: rows are read and preprocessed anew each time.

    Raises:
        ValueError: raw rows without a preprocessor.
        TypeError: `rows` is neither.
    """

    def __init__(self, rows: Rows | tf.data.Dataset, preprocessor: Preprocessor | None = None, keep: int = 0) -> None:
        if not isinstance(rows, Rows | tf.data.Dataset):
            raise TypeError(
                f"Wanted rows of `tfdual.read` or a tf.data.Dataset of batches. Received {type(rows).__name__}."
            )
        self.raw = isinstance(rows, Rows)
        if self.raw and preprocessor is None:
            raise ValueError("Raw rows need the preprocessor: pass preprocessor=..., or rows.batch(4096).map(prep).")
        self._rows, self._preprocessor, self._keep = rows, preprocessor, keep if self.raw else 0
        self._kept: list[tuple[Columns, Columns]] | None = None

    def __iter__(self) -> Iterator[tuple[Columns, Columns]]:
        if self._kept is not None:
            yield from self._kept
            return
        if not self._keep:
            yield from self._read()
            return
        pairs, left = [], self._keep
        for pair in self._read():
            left -= sum(map(_bytes, pair))
            if left >= 0:
                pairs.append(pair)
            else:
                pairs.clear()
            yield pair
        if left >= 0:
            self._kept = pairs

    def _read(self) -> Iterator[tuple[Columns, Columns]]:
        if isinstance(self._rows, tf.data.Dataset):
            for batch in self._rows:
                yield batch, batch
        elif self._preprocessor is not None:
            with told_plainly():
                for batch in self._rows.batch(BATCH):
                    yield batch, self._preprocessor(batch)

    def require(self, side: str, columns: Sequence[str]) -> None:
        """Refuse rows without a column that a tower reads.

        Args:
            side: `"query"` or `"item"`.
            columns: model-ready ones that its tower reads.

        Raises:
            ValueError: with the columns that are missing.
        """
        if self._preprocessor is not None:
            columns = [name for name in columns if name in self._preprocessor.schema]
        if isinstance(self._rows, Rows) and self._preprocessor is not None:
            given, columns = self._rows.schema.column_names, self._preprocessor.raw_columns(columns).column_names
        elif isinstance(self._rows, tf.data.Dataset) and isinstance(self._rows.element_spec, Mapping):
            given = list(self._rows.element_spec)
        else:
            return
        if missing := [name for name in columns if name not in given]:
            rows, other, tag = ("items", "query", "USER") if side == "item" else ("queries", "item", "ITEM")
            raise ValueError(
                f"The {rows} lack the columns {missing}, which the {side} tower reads. They have {sorted(given)}. Add "
                f"these columns to the {rows}; or, if they are of the {other}, tag them {tag} and train again."
            )

    def encoded(
        self, side: str, columns: Sequence[str], encode: Callable[[Columns], Tensor]
    ) -> Iterator[tuple[Columns, np.ndarray]]:
        """Pairs of a batch as it came and its embeddings, `(batch, dim)` float32.

        Args:
            side: `"query"` or `"item"`.
            columns: model-ready ones that `encode` reads.
            encode: from model-ready columns to embeddings.

        Raises:
            ValueError: a column is missing.
        """
        self.require(side, columns)
        for batch, ready in self:
            yield batch, encode(ready).numpy().astype(np.float32)

    def raw_ids(self, batch: Columns, item_id: str, preprocessor: Preprocessor) -> np.ndarray:
        """The raw item ids of a batch: as they came, or by the vocabulary where the batch is model-ready.

        Raises:
            ValueError: the batch has no item id, or a model-ready one is unknown to the vocabulary.
        """
        if item_id not in batch:
            raise ValueError(f"The items lack their id, the column '{item_id}'. They have {sorted(batch)}.")
        ids = batch[item_id].numpy()
        return ids if self.raw else preprocessor.raw_values(item_id, ids)


def _bytes(columns: Columns) -> int:
    return sum((tensor.dtype.size or STRING_BYTES) * int(tf.size(tensor)) for tensor in columns.values())
