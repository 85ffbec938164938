"""Items, raw or model-ready, as batches for an encoder."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.preprocessing import Preprocessor

BATCH = 4_096


def encode_batches(
    encode: Callable[[dict[str, Tensor]], Tensor], rows: Rows | tf.data.Dataset, preprocessor: Preprocessor | None
) -> Iterator[tuple[dict[str, Tensor], np.ndarray]]:
    """Pairs of a batch as it came and its embeddings, `(batch, dim)` float32.

    Args:
        encode: from model-ready columns to embeddings.
        rows: raw rows, or a dataset of model-ready batches.
        preprocessor: Preprocessor, for raw rows. `None` for a dataset.

    Raises:
        ValueError: raw rows without a preprocessor.
        TypeError: `rows` is neither.
    """
    if isinstance(rows, Rows):
        if preprocessor is None:
            raise ValueError("Raw rows need the preprocessor: pass preprocessor=..., or rows.batch(4096).map(prep).")
        for batch in rows.batch(BATCH):
            yield batch, encode(preprocessor(batch)).numpy().astype(np.float32)
    elif isinstance(rows, tf.data.Dataset):
        for batch in rows:
            yield batch, encode(batch).numpy().astype(np.float32)
    else:
        raise TypeError(
            f"Wanted rows of `tfdual.read` or a tf.data.Dataset of batches. Received {type(rows).__name__}."
        )


def raw_ids(batch: dict[str, Tensor], item_id: str, rows: Rows | tf.data.Dataset, prep: Preprocessor) -> np.ndarray:
    """The raw item ids of a batch: as they came, or by the vocabulary where the batch is model-ready.

    Raises:
        ValueError: the batch has no item id, or a model-ready one is unknown to the vocabulary.
    """
    if item_id not in batch:
        raise ValueError(f"The items lack their id, the column '{item_id}'. They have {sorted(batch)}.")
    ids = batch[item_id].numpy()
    if isinstance(rows, Rows):
        return ids
    return prep.raw_values(item_id, ids)
