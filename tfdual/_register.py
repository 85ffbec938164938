"""Registration of our classes with Keras, so that saved models find them."""

from collections.abc import Callable
from typing import TypeVar

import keras

T = TypeVar("T", bound=Callable)


def register(named: T) -> T:
    """Register a class or function as `tfdual>Name` for Keras's serialisation."""
    return keras.saving.register_keras_serializable(package="tfdual")(named)
