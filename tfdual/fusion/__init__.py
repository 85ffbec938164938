"""Vectors -> one vector."""

from tfdual.fusion.attention import AttentionFusion
from tfdual.fusion.concat import ConcatFusion
from tfdual.fusion.cosine import CosineFusion
from tfdual.fusion.cross import CrossFusion
from tfdual.fusion.dot_interaction import DotInteractionFusion
from tfdual.fusion.factorization_machine import FactorizationMachineFusion
from tfdual.fusion.gated import GatedFusion
from tfdual.fusion.multiplication import MultiplicationFusion
from tfdual.fusion.named_fusion import as_fusion
from tfdual.fusion.pooling import PoolingFusion
from tfdual.fusion.stack import StackFusion
from tfdual.fusion.weighted_sum import WeightedSumFusion

__all__ = [
    "AttentionFusion",
    "ConcatFusion",
    "CosineFusion",
    "CrossFusion",
    "DotInteractionFusion",
    "FactorizationMachineFusion",
    "GatedFusion",
    "MultiplicationFusion",
    "PoolingFusion",
    "StackFusion",
    "WeightedSumFusion",
    "as_fusion",
]
