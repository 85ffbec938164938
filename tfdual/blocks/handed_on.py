"""Layers that hand columns on, unchanged, to the one that reads them."""

import keras

from tfdual._build import fresh_copy
from tfdual.blocks.debug import Debug
from tfdual.blocks.filter import Filter
from tfdual.schema import Schema

HANDS_ON = (Debug, Filter)


def handed_on(layer: keras.layers.Layer, schema: Schema) -> keras.layers.Layer:
    """A copy of such a layer for the columns of `schema`."""
    return Filter(schema, name=layer.name) if isinstance(layer, Filter) else fresh_copy(layer)
