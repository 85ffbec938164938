"""Wirings of layers."""

from tfdual.blocks.as_tabular import AsTabular
from tfdual.blocks.block import Block
from tfdual.blocks.cond import Cond
from tfdual.blocks.cross_block import CrossBlock
from tfdual.blocks.debug import Debug
from tfdual.blocks.dense_residual_block import DenseResidualBlock
from tfdual.blocks.filter import Filter
from tfdual.blocks.l2_norm import L2Norm
from tfdual.blocks.map_values import MapValues
from tfdual.blocks.mixture_of_experts_block import MixtureOfExpertsBlock
from tfdual.blocks.mlp_block import MLPBlock
from tfdual.blocks.parallel_block import ParallelBlock
from tfdual.blocks.residual_block import ResidualBlock
from tfdual.blocks.sequential_block import SequentialBlock
from tfdual.blocks.transformer_block import TransformerBlock

NAMED_BLOCKS = {"debug": Debug, "l2-norm": L2Norm}

__all__ = [
    "AsTabular",
    "Block",
    "Cond",
    "CrossBlock",
    "Debug",
    "DenseResidualBlock",
    "Filter",
    "L2Norm",
    "MLPBlock",
    "MapValues",
    "MixtureOfExpertsBlock",
    "ParallelBlock",
    "ResidualBlock",
    "SequentialBlock",
    "TransformerBlock",
]
