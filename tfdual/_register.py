"""Registration of our classes with Keras, so that saved models find them."""

from typing import TypeVar

import keras

T = TypeVar("T")


def register(cls: type[T]) -> type[T]:
    """Register `cls` as `tfdual>ClassName` for Keras's serialisation."""
    return keras.saving.register_keras_serializable(package="tfdual")(cls)
