"""What Keras's `compile` and `fit` may not say of a model that has a loss of its own."""

from typing import Any

import keras
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.models.whole_state import WholeStateModel
from tfdual.optimizers.sparse_rows import all_finite


class OwnLossModel(WholeStateModel):
    """A Keras model whose loss is an argument of its own, not of `compile`.

    Attributes:
        loss_argument: str. What the argument is called. Defaults to `"loss"`.
        takes_metrics: bool. Whether `compile` takes metrics. Defaults to `False`: the whole corpus is measured on.
    """

    loss_argument = "loss"
    takes_metrics = False

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **settings: Any,
    ) -> None:
        """Keras's `compile`, without a loss.

        Raises:
            ValueError: a loss, weights of several losses, or metrics of a model that takes none.
        """
        kind = type(self).__name__
        if loss is not None:
            own = f"{kind}({self.loss_argument}=...)"
            raise ValueError(f"{kind} has a loss of its own. Leave `loss` out of compile(): {own} takes it.")
        if loss_weights is not None:
            raise ValueError(f"{kind} has one loss. Leave loss_weights={loss_weights} out of compile().")
        if not self.takes_metrics and (metrics is not None or weighted_metrics is not None):
            raise ValueError(
                f"{kind} is measured on the whole corpus. Leave metrics out of compile(), and pass "
                "fit(callbacks=[tfdual.CorpusEvaluation(...)])."
            )
        super().compile(optimizer, metrics=metrics, weighted_metrics=weighted_metrics, **settings)
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            self.optimizer.check_finite = all_finite

    def compile_from_config(self, config: dict) -> None:
        """Compile a loaded model, without what `compile` refuses: Keras passes over a model with its own `compile`."""
        refused = ["loss", "loss_weights", *([] if self.takes_metrics else ["metrics", "weighted_metrics"])]
        self.compile(**keras.saving.deserialize_keras_object(config) | dict.fromkeys(refused))
        if self.built:
            self.optimizer.build(self.trainable_variables)


def refuse_labels(model: keras.Model, y: Tensor | None) -> None:
    """Refuse labels.

    Raises:
        ValueError: there are any.
    """
    if y is not None and not _is_of_no_width(y):
        kind = type(model).__name__
        raise ValueError(f"{kind} takes no labels: each row is a pair. Pass x alone, or (x, None, weight).")


def _is_of_no_width(labels: Any) -> bool:
    """Whether they only stand beside weights, which Keras would drop without labels."""
    shape = tf.TensorShape(getattr(labels, "shape", None))
    return bool(shape.rank) and shape[-1] == 0
