"""What a model is after it was saved, and under another precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfdual.models import DualEncoder


@contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Keras's global policy, for a while."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def saved_and_loaded(made: DualEncoder, folder: Path) -> DualEncoder:
    """What a `.keras` file gives back; its config must be the same."""
    made.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    assert loaded.get_config() == made.get_config()
    return loaded


def require_equal_training(one: DualEncoder, other: DualEncoder, data: tf.data.Dataset) -> None:
    """Both train on the same data, and end with the same weights."""
    for each in (one, other):
        each.fit(data, verbose=0)
    for found, wanted in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
