"""Arrays that belong to a layer and are none of its weights."""

import json
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfdual._typing import Tensor

NAMES = "array_names"


def on_host(array: np.ndarray) -> Tensor:
    """A tensor in the computer's main memory, which tensors and variables of the same values can share."""
    if keras.backend.backend() != "tensorflow":
        return ops.convert_to_tensor(array)
    with tf.device("CPU:0"):
        return tf.convert_to_tensor(array)


class StoredArrays(tf.Module):
    """Named arrays that can be replaced, and that are saved with a layer's weights.

    On TensorFlow a graph that was traced before reads what has been put there since: they are variables, whose first
    dimension may change. They stay in main memory; what is taken goes to the device. A module, so that a saved graph
    keeps what it reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self._arrays: dict[str, Any] = {}

    def replace(self, arrays: Mapping[str, Tensor]) -> None:
        """Put these in place of all.

        Raises:
            ValueError: there are arrays, and those have other names, types or widths.
        """
        layout = {name: (keras.backend.standardize_dtype(a.dtype), *a.shape[1:]) for name, a in sorted(arrays.items())}
        held = {name: (keras.backend.standardize_dtype(a.dtype), *a.shape[1:]) for name, a in self._arrays.items()}
        if held and held != layout:
            raise ValueError(
                f"A source is adapted again to items of the same columns. It had {held}, and received {layout}. "
                "Make a new one for other columns."
            )
        if keras.backend.backend() != "tensorflow":
            self._arrays = dict(sorted(arrays.items()))
        elif held:
            for name, variable in self._arrays.items():
                variable.assign(arrays[name])
        else:
            with tf.device("CPU:0"):
                self._arrays = {
                    name: tf.Variable(arrays[name], trainable=False, shape=[None, *arrays[name].shape[1:]])
                    for name in layout
                }

    @property
    def names(self) -> list[str]:
        """The names, sorted; none where nothing has been put there."""
        return list(self._arrays)

    def __getitem__(self, name: str) -> Tensor:
        return ops.convert_to_tensor(self._arrays[name])

    def take(self, name: str, rows: Tensor) -> Tensor:
        """Rows of one array."""
        if keras.backend.backend() == "tensorflow":
            return tf.gather(self._arrays[name], rows)
        return ops.take(self._arrays[name], rows, axis=0)

    def take_lists(self, values: str, row_splits: str, rows: Tensor) -> Tensor:
        """Rows of the ragged tensor that two arrays make."""
        ragged = tf.RaggedTensor.from_row_splits(self[values], self[row_splits], validate=False)
        return tf.gather(ragged, rows)

    def save(self, store: Any) -> None:
        """Write them into a store of Keras."""
        if self._arrays:
            store[NAMES] = np.frombuffer(json.dumps(self.names).encode(), np.uint8)
            for i, name in enumerate(self.names):
                store[f"array_{i}"] = ops.convert_to_numpy(self[name])

    def load(self, store: Any) -> None:
        """Read what `save` wrote."""
        if NAMES in store.keys():  # noqa: SIM118 (a store of Keras)
            names = json.loads(np.asarray(store[NAMES]).tobytes())
            self.replace({name: on_host(np.asarray(store[f"array_{i}"])) for i, name in enumerate(names)})
