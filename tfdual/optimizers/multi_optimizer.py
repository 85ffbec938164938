"""One optimiser for each part of a model."""

from fnmatch import fnmatchcase
from typing import Any

import keras
import tensorflow as tf

from tfdual._backend import replicas, summed_over_replicas
from tfdual._register import register
from tfdual.optimizers.sparse_rows import if_sparse, over_replicas, sum_rows


@register
class MultiOptimizer(keras.optimizers.MultiOptimizer):
    """Train each part of a model by an optimiser of its own, chosen by the paths of variables.

    A variable goes to the first pattern that its path matches, in the order given; one that matches none goes to
    `default`. In a pattern `*` stands for any letters, also for `/`; `variable.path` says what there is to match, e.g.
    `model/features/user_id_table/embeddings`.

    Rates, schedules, clipping, weight decay, averages and accumulation are those of each optimiser, which counts its
    own steps; `iterations` counts those of all. `clipnorm` and `clipvalue` see a variable at a time, so they too are
    given to each; `global_clipnorm` here is over the gradients of all, summed over the replicas that share a batch.

    Keras's callbacks for learning rates set each of `optimizers`. Its `LossScaleOptimizer` goes around this optimiser,
    never into it, and hides them: under `mixed_float16`, where `compile` adds one, the callbacks raise an
    `AttributeError` or a `ValueError`. Give each optimiser a schedule there.

    Args:
        parts: dict of pattern -> optimiser.
        default: optimiser of all other variables.
        global_clipnorm: float or `None`. Norm that the gradients of all variables together are clipped to; repeated
            rows of sparse gradients are summed first. Defaults to `None`.

    Raises:
        TypeError: a part is no optimiser.
        ValueError: two parts share one optimiser, or one scales the loss; at build, a pattern gets no variable; in a
            step, no variable of a part has a gradient.

    Example:
        >>> optimizer = MultiOptimizer({"*_table/embeddings": keras.optimizers.Adagrad(0.1)}, keras.optimizers.Adam())
        >>> [type(part).__name__ for part in optimizer.optimizers]
        ['Adagrad', 'Adam']
    """

    def __init__(
        self,
        parts: dict[str, keras.optimizers.Optimizer],
        default: keras.optimizers.Optimizer,
        global_clipnorm: float | None = None,
        name: str = "multi_optimizer",
    ) -> None:
        _check(parts, default)
        super().__init__(_FirstMatch(default, dict(parts)), name=name)
        self.parts = dict(parts)
        self.default = default
        self.global_clipnorm = global_clipnorm

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        found = [_first(self.parts, variable.path) for variable in variables]
        unused = [pattern for pattern in self.parts if pattern not in found]
        if unused:
            raise ValueError(
                "Each pattern of a MultiOptimizer needs a trainable variable that no pattern before it matches. "
                f"Received {unused}, with none. The paths are {[variable.path for variable in variables]}. "
                "Correct the pattern, put it before those that match more, or leave it out."
            )
        super().build(variables)

    def apply(self, grads: list, trainable_variables: list[keras.Variable] | None = None) -> None:
        if self.global_clipnorm:
            grads, _ = tf.clip_by_global_norm(grads, self.global_clipnorm, use_norm=_norm(grads))
        super().apply(grads, trainable_variables)

    def save_own_variables(self, store: Any) -> None:
        """Save the count of steps: Keras visits each of the optimisers, and would save them twice."""
        store["iterations"] = self._iterations.numpy()

    def load_own_variables(self, store: Any) -> None:
        self._iterations.assign(store["iterations"])

    def get_config(self) -> dict:
        return {
            "parts": keras.saving.serialize_keras_object(self.parts),
            "default": keras.saving.serialize_keras_object(self.default),
            "global_clipnorm": self.global_clipnorm,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "MultiOptimizer":
        made = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects) for name in ("parts", "default")
        }
        return cls(**config | made)


class _FirstMatch(keras.optimizers.OptimizerMap):
    """Keras's map, which takes regular expressions and no two that match one path."""

    def __call__(self, variable: keras.Variable) -> keras.optimizers.Optimizer:
        pattern = _first(self, variable.path)
        return self.default_optimizer if pattern is None else self[pattern]


def _norm(gradients: list) -> tf.Tensor:
    """The norm of all gradients together, summed over the replicas, with each row of a sparse one once."""
    there = [gradient for gradient in gradients if gradient is not None]
    if replicas() > 1:
        there = over_replicas(summed_over_replicas, there)
    return tf.linalg.global_norm([if_sparse(sum_rows, each) for each in there])


def _first(patterns: Any, path: str) -> str | None:
    return next((pattern for pattern in patterns if fnmatchcase(path, pattern)), None)


def _check(parts: dict[str, keras.optimizers.Optimizer], default: keras.optimizers.Optimizer) -> None:
    optimizers = [*parts.values(), default]
    wrong = [given for given in optimizers if not isinstance(given, keras.optimizers.Optimizer)]
    if wrong:
        raise TypeError(f"MultiOptimizer needs Keras optimizers. Received {wrong}. Give e.g. `LazyAdam(1e-3)`.")
    if len({id(given) for given in optimizers}) < len(optimizers):
        raise ValueError("Two parts share one optimizer. Each needs its own: make it twice, e.g. by `from_config`.")
    scaled = [given.name for given in optimizers if given.loss_scale_factor is not None]
    if scaled:
        raise ValueError(
            f"MultiOptimizer needs optimizers that don't scale the loss. Received {scaled}, with a loss_scale_factor. "
            "Wrap the MultiOptimizer in `keras.optimizers.LossScaleOptimizer`."
        )
