"""Retrieval models: `encode_query`, `encode_item`, `score`."""

from tfdual.models.backup_and_restore import BackupAndRestore
from tfdual.models.contrastive_objective import ContrastiveObjective
from tfdual.models.cross_encoder import CrossEncoder
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.graph import GraphModel, LightGCNModel
from tfdual.models.late_interaction_model import LateInteractionModel
from tfdual.models.matrix_factorization_model import MatrixFactorizationModel
from tfdual.models.pairs import KnownItems, Pairs
from tfdual.models.poly_encoder import PolyEncoder
from tfdual.models.ranking_model import RankingModel
from tfdual.models.sequence_model import SequenceModel
from tfdual.models.side import Side
from tfdual.models.two_tower_model import TwoTowerModel
from tfdual.models.youtube_dnn_model import YouTubeDNNModel

__all__ = [
    "BackupAndRestore",
    "ContrastiveObjective",
    "CrossEncoder",
    "DualEncoder",
    "GraphModel",
    "KnownItems",
    "LateInteractionModel",
    "LightGCNModel",
    "MatrixFactorizationModel",
    "Pairs",
    "PolyEncoder",
    "RankingModel",
    "SequenceModel",
    "Side",
    "TwoTowerModel",
    "YouTubeDNNModel",
]
