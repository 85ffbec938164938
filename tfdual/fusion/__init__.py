"""Vectors -> one vector."""

from tfdual.fusion.concat import ConcatFusion
from tfdual.fusion.named_fusion import as_fusion
from tfdual.fusion.pooling import PoolingFusion
from tfdual.fusion.weighted_sum import WeightedSumFusion

__all__ = ["ConcatFusion", "PoolingFusion", "WeightedSumFusion", "as_fusion"]
