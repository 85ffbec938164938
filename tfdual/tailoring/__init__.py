"""Frozen embeddings, adapted to a task; the items stay as they are."""

from tfdual.tailoring import compression
from tfdual.tailoring.deep_reranker import DeepReranker
from tfdual.tailoring.frozen_item_model import FrozenItemModel
from tfdual.tailoring.frozen_items import FrozenItems
from tfdual.tailoring.linear_transform import LinearTransform
from tfdual.tailoring.low_rank_transform import LowRankTransform
from tfdual.tailoring.orthogonal_transform import OrthogonalTransform
from tfdual.tailoring.reranking_lists import reranking_lists
from tfdual.tailoring.scale_transform import ScaleTransform
from tfdual.tailoring.tailoring_report import TailoringReport, tailoring_report
from tfdual.tailoring.transformed_query import TransformedQuery

__all__ = [
    "DeepReranker",
    "FrozenItemModel",
    "FrozenItems",
    "LinearTransform",
    "LowRankTransform",
    "OrthogonalTransform",
    "ScaleTransform",
    "TailoringReport",
    "TransformedQuery",
    "compression",
    "reranking_lists",
    "tailoring_report",
]
