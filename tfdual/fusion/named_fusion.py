"""Fusions by their names."""

from collections.abc import Callable
from functools import partial

import keras

from tfdual.fusion.attention import AttentionFusion
from tfdual.fusion.concat import ConcatFusion
from tfdual.fusion.cosine import CosineFusion
from tfdual.fusion.cross import CrossFusion
from tfdual.fusion.dot_interaction import DotInteractionFusion
from tfdual.fusion.factorization_machine import FactorizationMachineFusion
from tfdual.fusion.gated import GatedFusion
from tfdual.fusion.multiplication import MultiplicationFusion
from tfdual.fusion.pooling import PoolingFusion
from tfdual.fusion.stack import StackFusion

FUSIONS: dict[str, Callable[[], keras.layers.Layer]] = {
    "attention": AttentionFusion,
    "concat": ConcatFusion,
    "cosine": CosineFusion,
    "cosine-similarity": CosineFusion,
    "cross": CrossFusion,
    "dot": DotInteractionFusion,
    "element-wise-multiply": MultiplicationFusion,
    "element-wise-sum": partial(PoolingFusion, "sum"),
    "elementwise-multiply": MultiplicationFusion,
    "fm": FactorizationMachineFusion,
    "gated": GatedFusion,
    "max": partial(PoolingFusion, "max"),
    "mean": partial(PoolingFusion, "mean"),
    "stack": StackFusion,
    "sum": partial(PoolingFusion, "sum"),
}


def as_fusion(aggregation: str | keras.layers.Layer | None) -> keras.layers.Layer | None:
    """The fusion of that name, a new one each time; a layer or None passes unchanged.

    Args:
        aggregation: str, Keras layer or None. Merlin's names `"concat"`, `"stack"`, `"sum"`, `"element-wise-sum"`,
            `"element-wise-multiply"` (also `"elementwise-multiply"`), `"cosine"`, `"cosine-similarity"`; and
            `"mean"`, `"max"`, `"attention"`, `"gated"`, `"cross"`, `"dot"`, `"fm"`, with their default arguments.

    Raises:
        TypeError: neither a name, nor a layer, nor None.
        ValueError: an unknown name.

    Example:
        >>> as_fusion("element-wise-sum").mode
        'sum'
    """
    if aggregation is None or isinstance(aggregation, keras.layers.Layer):
        return aggregation
    if not isinstance(aggregation, str):
        raise TypeError(f"An aggregation is a name, a Keras layer or None. Received {aggregation!r}.")
    if aggregation not in FUSIONS:
        raise ValueError(
            f"No aggregation is called {aggregation!r}. Choose one of {', '.join(FUSIONS)}, "
            "or give a Keras layer that takes a dict of vectors."
        )
    return FUSIONS[aggregation]()
