"""Whether `tf.keras` is the Keras that TensorFlow Recommenders is written for."""

from typing import Any

import keras
import tensorflow as tf

from tfdual._optional import require

VARIABLE = "TF_USE_LEGACY_KERAS"
OF_KERAS_2 = "tf_keras"


def require_legacy_keras() -> None:
    """Raise unless `tf.keras` is `tf_keras`.

    Raises:
        ImportError: `tf_keras` is not installed; the message names the extra.
        RuntimeError: `tf.keras` is Keras 3, since the variable was not set when TensorFlow was imported.
    """
    require(OF_KERAS_2, extra="tfrs")
    if tf.keras.layers.Layer.__module__.partition(".")[0] != OF_KERAS_2:
        raise RuntimeError(
            "tf.keras is Keras 3 in this process, and TensorFlow Recommenders and its towers need tf_keras. Set "
            f"{VARIABLE}=1 before TensorFlow is imported: in the shell (`{VARIABLE}=1 python train.py`), or as the "
            f'first lines of the program (`import os; os.environ["{VARIABLE}"] = "1"`), above every import of '
            "tensorflow, tensorflow_recommenders and tfdual. Set later, it does nothing."
        )


def check_keras(tower: Any) -> None:
    """Refuse a Keras tower that is not of `tf_keras`; what is no Keras layer passes, with or without it.

    Raises:
        ImportError, RuntimeError: as `require_legacy_keras`.
        TypeError: the tower is a layer of Keras 3.
    """
    of_keras_3 = isinstance(tower, keras.Layer)
    of_keras_2 = any(kind.__module__.partition(".")[0] == OF_KERAS_2 for kind in type(tower).__mro__)
    if of_keras_2 or of_keras_3:
        require_legacy_keras()
    if of_keras_3:
        raise TypeError(
            f"The tower {type(tower).__name__} is a layer of Keras 3, and TensorFlow Recommenders' are of tf_keras. "
            "Make it with tf.keras; models of tfdual have `to_retriever`."
        )
