"""Features -> embedding."""

from tfdual.towers.bert_tower import BertTower
from tfdual.towers.dual_encoder_block import DualEncoderBlock
from tfdual.towers.functional import as_functional
from tfdual.towers.matrix_factorization_block import MatrixFactorizationBlock
from tfdual.towers.tower import Tower
from tfdual.towers.two_tower_block import TwoTowerBlock

__all__ = [
    "BertTower",
    "DualEncoderBlock",
    "MatrixFactorizationBlock",
    "Tower",
    "TwoTowerBlock",
    "as_functional",
]
