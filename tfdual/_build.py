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


def serialized(layers: Any) -> Any:
    """The config of a layer, or of a mapping or list of layers, to stand in the config of the layer that holds them.

    It doesn't remember the shapes that they were built for: what holds them builds them.
    """
    return _without_shapes(keras.saving.serialize_keras_object(layers))


def fresh_copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A layer of the same structure with weights of its own, of the shapes that its own input will ask for."""
    return type(layer).from_config(_without_shapes(layer.get_config()))


def _without_shapes(config: Any) -> Any:
    if isinstance(config, dict):
        return {name: _without_shapes(value) for name, value in config.items() if name != "build_config"}
    return [_without_shapes(value) for value in config] if isinstance(config, list) else config


def deserialized(config: dict[str, Any]) -> dict[str, Any]:
    """The config of a layer with the layers in it made; a new dict. Its dtype is left for Keras to read."""
    return {
        name: keras.saving.deserialize_keras_object(value)
        if isinstance(value, dict | list) and name != "dtype"
        else value
        for name, value in config.items()
    }
