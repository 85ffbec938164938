"""Building and copying of sub-layers, which a saved model may have built before, and the shapes that they give."""

import threading
from collections.abc import Collection
from typing import Any

import keras

# While a model is saved or loaded, Keras numbers nested layers in a config, and gives one layer for one number.
OF_THE_ORIGINAL = frozenset({"build_config", "shared_object_id"})
_serializing = threading.local()


def build_once(layer: keras.layers.Layer, shape: Any = None) -> None:
    """Make the weights of `layer` unless it has them; where the layer is frozen, so are all layers that it made."""
    if not layer.built:
        layer.build(shape)
    if not layer.trainable:
        # TensorFlow skips an assignment of the value that is there; Keras passes it on to the sub-layers.
        layer.trainable = True
        layer.trainable = False


def build_chain(layers: list[keras.layers.Layer], shape: Any) -> None:
    """Make the weights of layers that follow one another, the first of which takes `shape`.

    Raises:
        ValueError: a layer gets named vectors and takes one tensor.
    """
    for layer in layers:
        try:
            build_once(layer, shape)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            if not isinstance(shape, dict):
                raise
            raise ValueError(
                f"The layer '{layer.name}' ({type(layer).__name__}) can't take a dict of {sorted(shape)}. Fuse it to "
                'one tensor first, e.g. by aggregation="concat" of the block before it.'
            ) from error
        shape = layer.compute_output_shape(shape)


def chain_output_shape(layers: list[keras.layers.Layer], shape: Any) -> Any:
    """The shape that comes out of layers that follow one another."""
    for layer in layers:
        shape = layer.compute_output_shape(shape)
    return shape


def serialized(layers: Any) -> Any:
    """The config of a layer, or of a mapping or list of layers, to stand in the config of the layer that holds them.

    It doesn't remember the shapes that they were built for: what holds them builds them. A layer that stands in several
    places of what is given is one again when a saved model is loaded.
    """
    if getattr(_serializing, "numbered", False):
        return _serialized(layers)
    _serializing.numbered = True
    try:
        # While a model is saved, Keras numbers a layer that it meets again, and the config of the first place, too; but
        # that one has been copied on its way up. After a first pass all places have their number.
        _serialized(layers)
        return _serialized(layers)
    finally:
        _serializing.numbered = False


def _serialized(layers: Any) -> Any:
    return without(keras.saving.serialize_keras_object(layers), {"build_config"})


def fresh_copy(layer: keras.layers.Layer, name: str | None = None) -> keras.layers.Layer:
    """A layer of the same structure with weights of its own, of the shapes that its own input will ask for.

    Of pretrained layers in it, which have a method `start_from`, the copies start from the same weights.

    Args:
        layer: Keras layer.
        name: str. Defaults to `None`: the layer's own.
    """
    config = without(layer.get_config(), OF_THE_ORIGINAL) | ({} if name is None else {"name": name})
    copy = type(layer).from_config(config)
    for own, other in zip(_pretrained(copy), _pretrained(layer), strict=True):
        own.start_from(other)
    return copy


def _pretrained(layer: keras.layers.Layer, above: tuple[keras.layers.Layer, ...] = ()) -> list[Any]:
    """Those in it, one that stands in several places once for each: a copy has one for each."""
    if hasattr(layer, "start_from"):
        return [layer]
    parts = [part for part in layer._layers if all(part is not one for one in (*above, layer))]
    return [found for part in parts for found in _pretrained(part, (*above, layer))]


def without(config: Any, names: Collection[str]) -> Any:
    """A config, and those in it, without some of their entries."""
    if isinstance(config, dict):
        return {name: without(value, names) for name, value in config.items() if name not in names}
    return [without(value, names) for value in config] if isinstance(config, list) else config


def deserialized(config: dict[str, Any]) -> dict[str, Any]:
    """The config of a layer with the layers in it made; a new dict. Its dtype is left for Keras to read."""
    return {
        name: keras.saving.deserialize_keras_object(value)
        if isinstance(value, dict | list) and name != "dtype"
        else value
        for name, value in config.items()
    }
