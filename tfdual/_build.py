"""Building of sub-layers, which a saved model may have built before."""

from typing import Any

import keras


def build_once(layer: keras.layers.Layer, shape: Any = None) -> None:
    """Make the weights of `layer` unless it has them."""
    if not layer.built:
        layer.build(shape)
