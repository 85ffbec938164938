"""What a source of negatives remembers from batch to batch."""

from typing import Any

import keras

from tfdual._typing import Shape


def zeros_of(layer: keras.layers.Layer, name: str, shape: Shape, dtype: str) -> Any:
    """A weight that no gradient reaches, of its own type under any policy."""
    return layer.add_weight(shape=shape, initializer="zeros", dtype=dtype, trainable=False, autocast=False, name=name)
