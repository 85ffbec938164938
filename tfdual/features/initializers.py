"""Initialisers as arguments: checked, and to and from a config."""

from typing import Any, TypeAlias

import keras

Initializer: TypeAlias = str | keras.initializers.Initializer


def check_initializer(initializer: Any) -> None:
    """Refuse what is no initialiser.

    Raises:
        TypeError: neither a name nor a Keras `Initializer`.
        ValueError: a name that Keras doesn't know, or of one that needs arguments.
    """
    if isinstance(initializer, keras.initializers.Initializer):
        return
    if not isinstance(initializer, str):
        raise TypeError(f"An initializer is a name or a keras.initializers.Initializer. Received {initializer!r}.")
    try:
        keras.initializers.get(initializer)
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"Keras makes no initializer of the name {initializer!r}. Use e.g. 'uniform' or 'glorot_normal', or pass "
            "an object such as keras.initializers.RandomNormal(stddev=0.1)."
        ) from error


def initializer_config(initializer: Initializer) -> str | dict:
    """A name as it is, an object as Keras serialises it."""
    return initializer if isinstance(initializer, str) else keras.saving.serialize_keras_object(initializer)


def initializer_from(config: str | dict) -> Initializer:
    """What `initializer_config` was given."""
    return config if isinstance(config, str) else keras.saving.deserialize_keras_object(config)
