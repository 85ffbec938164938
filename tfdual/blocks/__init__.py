"""Wirings of layers."""

from tfdual.blocks.as_tabular import AsTabular
from tfdual.blocks.block import Block, LayerLike
from tfdual.blocks.cond import Cond
from tfdual.blocks.debug import Debug
from tfdual.blocks.filter import Filter
from tfdual.blocks.l2_norm import L2Norm
from tfdual.blocks.map_values import MapValues
from tfdual.blocks.mlp_block import MLPBlock
from tfdual.blocks.parallel_block import ParallelBlock
from tfdual.blocks.residual_block import ResidualBlock
from tfdual.blocks.sequential_block import SequentialBlock

NAMED_BLOCKS = {"debug": Debug, "l2-norm": L2Norm}

__all__ = [
    "AsTabular",
    "Block",
    "Cond",
    "Debug",
    "Filter",
    "L2Norm",
    "LayerLike",
    "MLPBlock",
    "MapValues",
    "ParallelBlock",
    "ResidualBlock",
    "SequentialBlock",
]
