"""Fusions by their names."""

import keras

from tfdual.fusion.concat import ConcatFusion
from tfdual.fusion.pooling import PoolingFusion


def as_fusion(aggregation: str | keras.layers.Layer | None) -> keras.layers.Layer | None:
    """A fusion from its name; a layer passes unchanged."""
    if not isinstance(aggregation, str):
        return aggregation
    return ConcatFusion() if aggregation == "concat" else PoolingFusion("sum")
