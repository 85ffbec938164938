"""Functions, and partials of them, in a model's config."""

import functools
from collections.abc import Callable
from typing import Any

import keras


def function_config(function: Callable | None) -> Any:
    """A function as what JSON can hold.

    Args:
        function: registered with Keras, as those of `tfdual.losses` are; a `functools.partial` of one with keyword
            arguments; or None.

    Raises:
        ValueError: another function, or a partial with positional arguments.
    """
    if function is None:
        return None
    plain, partial = (function.func, function) if isinstance(function, functools.partial) else (function, None)
    if keras.saving.get_registered_object(keras.saving.get_registered_name(plain)) is not plain:
        raise ValueError(
            f"A model is saved with the name of its loss, and Keras doesn't know {plain}. Put "
            "`@keras.saving.register_keras_serializable()` before its definition."
        )
    if partial is None:
        return keras.saving.serialize_keras_object(plain)
    if partial.args:
        raise ValueError(f"A partial is saved with its keywords. Name its positional arguments {partial.args}.")
    return {"partial_of": keras.saving.serialize_keras_object(plain), "keywords": dict(partial.keywords)}


def function_from(config: Any) -> Callable | None:
    """The function of a config that was deserialised."""
    if isinstance(config, dict):
        return functools.partial(config["partial_of"], **config["keywords"])
    return config
