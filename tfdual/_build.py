"""Building and copying of sub-layers, which a saved model may have built before, and the shapes that they give."""

from typing import Any

import keras


def build_once(layer: keras.layers.Layer, shape: Any = None) -> None:
    """Make the weights of `layer` unless it has them."""
    if not layer.built:
        layer.build(shape)


def build_chain(layers: list[keras.layers.Layer], shape: Any) -> None:
    """Make the weights of layers that follow one another, the first of which takes `shape`."""
    for layer in layers:
        build_once(layer, shape)
        shape = layer.compute_output_shape(shape)


def chain_output_shape(layers: list[keras.layers.Layer], shape: Any) -> Any:
    """The shape that comes out of layers that follow one another."""
    for layer in layers:
        shape = layer.compute_output_shape(shape)
    return shape


def fresh_copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A layer of the same structure with weights of its own, of the shapes that its own input will ask for."""
    return type(layer).from_config(_without_shapes(layer.get_config()))


def _without_shapes(config: Any) -> Any:
    """A config whose nested layers don't remember what they were built for."""
    if isinstance(config, dict):
        return {name: _without_shapes(value) for name, value in config.items() if name != "build_config"}
    return [_without_shapes(value) for value in config] if isinstance(config, list) else config
