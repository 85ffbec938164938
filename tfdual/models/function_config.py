"""Functions, and partials of them, in a model's config."""

import functools
from collections.abc import Callable
from typing import Any

import keras


def function_config(function: Callable | None) -> Any:
    """A function as what JSON can hold.

    Args:
        function: of a module, such as `tfdual.losses.bpr`, or registered with Keras; a `functools.partial` of one with
            keyword arguments; or None.

    Raises:
        ValueError: a partial with positional arguments.
    """
    if not isinstance(function, functools.partial):
        return keras.saving.serialize_keras_object(function)
    if function.args:
        raise ValueError(f"A partial is saved with its keywords. Name its positional arguments {function.args}.")
    return {"partial_of": keras.saving.serialize_keras_object(function.func), "keywords": dict(function.keywords)}


def function_from(config: Any) -> Callable | None:
    """The function of a config that was deserialised."""
    if isinstance(config, dict):
        return functools.partial(config["partial_of"], **config["keywords"])
    return config
