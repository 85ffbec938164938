"""Features -> embedding."""

from tfdual.towers.tower import Tower
from tfdual.towers.two_tower_block import TwoTowerBlock

__all__ = ["Tower", "TwoTowerBlock"]
