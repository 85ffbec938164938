"""Vectors -> one vector."""

from tfdual.fusion.concat import ConcatFusion
from tfdual.fusion.pooling import PoolingFusion

__all__ = ["ConcatFusion", "PoolingFusion"]
