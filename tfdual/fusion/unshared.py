"""Initialisers that several weights draw from."""

from typing import Any

import keras


def unshared(initializer: Any) -> Any:
    """A copy of an initialiser object, which gives the same values each time that it is asked for one shape.

    A name or a function passes unchanged.
    """
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer
