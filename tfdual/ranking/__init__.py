"""Ranked lists: a search of words, and several lists made one."""

from tfdual.ranking.bm25 import BM25
from tfdual.ranking.choose_weight import WeightChoice, choose_weight
from tfdual.ranking.list_fusion import ListFusion, ReciprocalRank, WeightedScores
from tfdual.ranking.rank_fusion import reciprocal_rank_fusion, weighted_fusion
from tfdual.ranking.word_analysis import WordAnalysis

__all__ = [
    "BM25",
    "ListFusion",
    "ReciprocalRank",
    "WeightChoice",
    "WeightedScores",
    "WordAnalysis",
    "choose_weight",
    "reciprocal_rank_fusion",
    "weighted_fusion",
]
