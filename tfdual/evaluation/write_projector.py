"""Item embeddings for TensorBoard's projector."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.models import DualEncoder
from tfdual.models.ready_batches import ReadyBatches
from tfdual.preprocessing import Preprocessor

VECTORS, LABELS, CONFIG = "items.tsv", "items_metadata.tsv", "projector_config.pbtxt"
WORDS = f"""embeddings {{
  tensor_name: "items"
  tensor_path: "{VECTORS}"
  metadata_path: "{LABELS}"
}}
"""


def write_projector(
    folder: str | os.PathLike,
    model: DualEncoder,
    items: Rows | tf.data.Dataset,
    preprocessor: Preprocessor | None = None,
    columns: Sequence[str] = (),
) -> Path:
    """Write the embeddings of items, and what to call them, where TensorBoard's projector finds them.

    `tensorboard --logdir folder` shows them under "Projector". The folder may be the one of Keras's `TensorBoard`. What
    stands there from an earlier call is replaced. The browser draws up to 100,000 points; pass fewer items if there are
    more.

    Args:
        folder: path. Made where it is missing.
        model: DualEncoder, of one vector an item.
        items: one row an item: raw rows of `tfdual.read`, or a dataset of model-ready batches.
        preprocessor: Preprocessor, for raw rows. Defaults to `None`.
        columns: names of the columns of `items` to show beside the id. The values of a list are joined by commas; tabs
            and line breaks become spaces. Defaults to none.

    Returns:
        The path of `projector_config.pbtxt`.

    Raises:
        ValueError: a column is missing, there is no item, an item is several vectors, or raw rows come without a
            preprocessor.
        OSError: the folder can't be written.
    """
    folder = Path(folder)
    names = [model.item_id, *(name for name in columns if name != model.item_id)]
    folder.mkdir(parents=True, exist_ok=True)
    aside = [folder / f".writing-{os.getpid()}-{name}" for name in (VECTORS, LABELS, CONFIG)]
    try:
        with aside[0].open("w", encoding="utf-8") as vectors, aside[1].open("w", encoding="utf-8") as labels:
            encoded = ReadyBatches(items, preprocessor).encoded("item", model.item_columns, model.compiled_encode_item)
            rows = _write(encoded, names, vectors, labels)
        if not rows:
            raise ValueError("There is no item to show. Pass items of at least one row.")
        aside[2].write_text(WORDS, encoding="utf-8")
        for path, name in zip(aside, (VECTORS, LABELS, CONFIG), strict=True):
            path.replace(folder / name)
    finally:
        for path in aside:
            path.unlink(missing_ok=True)
    return folder / CONFIG


def _write(
    batches: Iterable[tuple[dict[str, Tensor], np.ndarray]], names: list[str], vectors: TextIO, labels: TextIO
) -> int:
    """A line an item in both files; a heading where there are several names. How many items there were."""
    if len(names) > 1:
        labels.write("\t".join(map(_plain, names)) + "\n")
    rows = 0
    for batch, embeddings in batches:
        if embeddings.ndim != 2:
            raise ValueError(
                "The projector shows one vector an item, (items, dim). This model's item tower gives the shape "
                f"{embeddings.shape}. Write a model of one vector an item, such as a TwoTowerModel."
            )
        np.savetxt(vectors, embeddings, fmt="%.9g", delimiter="\t")
        shown = [_texts(batch, name) for name in names]
        labels.writelines("\t".join(line) + "\n" for line in zip(*shown, strict=True))
        rows += len(embeddings)
    return rows


def _texts(batch: dict[str, Tensor], name: str) -> list[str]:
    """The values of a column, one text a row."""
    if name not in batch:
        raise ValueError(f"The items lack the column '{name}'. They have {sorted(batch)}.")
    values = batch[name]
    rows = values.to_list() if isinstance(values, tf.RaggedTensor) else values.numpy().tolist()
    return [_plain(value) for value in rows]


def _plain(value: Any) -> str:
    """A text without tabs and line breaks."""
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return " ".join(text.split())
