"""Retriever, saved artefacts and their versions."""

from tfdual.serving.canary import Canary, CanaryError
from tfdual.serving.item_columns import ItemColumns
from tfdual.serving.reranker import Reranker
from tfdual.serving.retriever import Retriever
from tfdual.serving.served_graph import ServedGraph, ServedItems
from tfdual.serving.served_tower import ServedTower
from tfdual.serving.versions import Version, Versions

__all__ = [
    "Canary",
    "CanaryError",
    "ItemColumns",
    "Reranker",
    "Retriever",
    "ServedGraph",
    "ServedItems",
    "ServedTower",
    "Version",
    "Versions",
]
