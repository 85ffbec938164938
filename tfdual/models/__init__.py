"""Retrieval models: `encode_query`, `encode_item`, `score`."""

from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.two_tower_model import TwoTowerModel

__all__ = ["DualEncoder", "TwoTowerModel"]
