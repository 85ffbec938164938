"""What Keras's `compile` and `fit` may not say of a model that has a loss and metrics of its own."""

from typing import Any

import keras
import tensorflow as tf

from tfdual._typing import Tensor


def refuse_metrics(model: keras.Model) -> None:
    """Refuse metrics of `compile`, and weights of several losses.

    Raises:
        ValueError: there are some.
    """
    if model.compiled and (weights := model._compile_config.config.get("loss_weights")) is not None:
        raise ValueError(f"{type(model).__name__} has one loss. Leave loss_weights={weights} out of compile().")
    if model._compile_metrics is not None:
        raise ValueError(
            f"{type(model).__name__} is measured on the whole corpus. Leave metrics out of compile(), and pass "
            "fit(callbacks=[tfdual.CorpusEvaluation(...)])."
        )


def refuse_labels(model: keras.Model, y: Tensor | None) -> None:
    """Refuse a loss of `compile`, and labels.

    Raises:
        ValueError: there are any.
    """
    kind = type(model).__name__
    if model._compile_loss is not None:
        raise ValueError(f"{kind} has a loss of its own. Leave `loss` out of compile(): {kind}(loss=...) takes it.")
    if y is not None and not _is_of_no_width(y):
        raise ValueError(f"{kind} takes no labels: each row is a pair. Pass x alone, or (x, None, weight).")


def _is_of_no_width(labels: Any) -> bool:
    """Whether they only stand beside weights, which Keras would drop without labels."""
    shape = tf.TensorShape(getattr(labels, "shape", None))
    return bool(shape.rank) and shape[-1] == 0
