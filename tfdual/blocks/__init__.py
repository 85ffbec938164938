"""Wirings of layers."""

from tfdual.blocks.l2_norm import L2Norm
from tfdual.blocks.mlp_block import MLPBlock
from tfdual.blocks.parallel_block import ParallelBlock
from tfdual.blocks.sequential_block import SequentialBlock

__all__ = ["L2Norm", "MLPBlock", "ParallelBlock", "SequentialBlock"]
