"""Values in order, and the lookup from a value to its id, inside TensorFlow."""

import re
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from tfdual._typing import Tensor

LINES = 65_536
ESCAPES = (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"))


class ValueIds:
    """Value -> id: Keras's `StringLookup` or `IntegerLookup` over a file of the values.

    `0 .. num_oov_indices - 1` are out-of-vocabulary (where there are several, a hash of the value picks one), then the
    values in order. From a file the table is read line by line, and the file is an asset of the SavedModel. Ten million
    strings take 0.6 GB in the table; as a list of strings or a constant of the graph they take several times that.

    Args:
        values: pa.ChunkedArray. Distinct integers, or strings that aren't empty.
        num_oov_indices: int. Ids of values that are not among them.
    """

    def __init__(self, values: pa.ChunkedArray, num_oov_indices: int) -> None:
        self.values, self._unknown = values, num_oov_indices
        self._strings = not pa.types.is_integer(values.type)
        self._escaped = False
        if not len(values):  # Keras takes no empty file
            self._lookup = keras.layers.Hashing(num_oov_indices)
            return
        if self._strings:
            self._escaped = bool(pc.any(pc.match_substring_regex(values, r"[\n\r]")).as_py())
        self._folder = tempfile.TemporaryDirectory(prefix="tfdual-")  # the asset must exist until it is exported
        path = Path(self._folder.name) / "vocabulary.txt"
        self._write(path)
        layer = keras.layers.StringLookup if self._strings else keras.layers.IntegerLookup
        self._lookup = layer(vocabulary=str(path), num_oov_indices=num_oov_indices, mask_token=None)

    def __deepcopy__(self, memo: dict) -> "ValueIds":
        """Itself: it never changes."""
        return self

    def _write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for start in range(0, len(self.values), LINES):
                lines = self.values.slice(start, LINES)
                for raw, escaped in ESCAPES if self._escaped else ():
                    lines = pc.replace_substring(lines, raw, escaped)
                file.write("\n".join(lines.cast(pa.large_string()).to_pylist()) + "\n")

    @property
    def tables(self) -> list[Any]:
        """The lookup table, whose file a SavedModel copies."""
        return [self._lookup.lookup_table] if len(self.values) else []

    def __call__(self, values: Tensor) -> Tensor:
        """Strings, or integers of any width, to int64 ids of the same shape."""
        values = tf.convert_to_tensor(values) if self._strings else tf.cast(values, tf.int64)
        for raw, escaped in ESCAPES if self._escaped else ():
            values = tf.strings.regex_replace(values, re.escape(raw), escaped.replace("\\", "\\\\"))
        if self._unknown > 1 or not len(self.values):
            return self._lookup(values)
        # As Keras looks up, with a constant for the unknown id, which a graph would capture.
        table, unknown = self._lookup.lookup_table.resource_handle, tf.constant(0, tf.int64)
        ids = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=values, default_value=unknown)
        ids.set_shape(values.shape)
        return ids

    def ids_of(self, values: pa.ChunkedArray) -> np.ndarray:
        """The ids of an Arrow column, by parts."""
        parts = [np.zeros(0, np.int64)]
        for start in range(0, len(values), 16 * LINES):
            part = values.slice(start, 16 * LINES).combine_chunks()
            keys = part.cast(pa.large_binary()).to_numpy(zero_copy_only=False) if self._strings else part.to_numpy()
            parts.append(np.asarray(self(tf.constant(keys)), np.int64))
        return np.concatenate(parts)
