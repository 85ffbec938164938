"""Retriever, saved artefacts and their versions, and what is written for other programs."""

from tfdual.serving.canary import Canary, CanaryError
from tfdual.serving.embed_items import embed_items
from tfdual.serving.embed_texts import embed_texts
from tfdual.serving.hybrid_retriever import HybridRetriever
from tfdual.serving.item_columns import ItemColumns
from tfdual.serving.item_embeddings import ItemEmbeddings
from tfdual.serving.onnx_export import export_onnx
from tfdual.serving.reranker import Reranker
from tfdual.serving.retriever import Retriever
from tfdual.serving.served_graph import ServedGraph
from tfdual.serving.served_items import ServedItems
from tfdual.serving.served_tower import ServedTower
from tfdual.serving.server_files import write_server_files
from tfdual.serving.tower_comparison import TowerComparison, compare_query_towers
from tfdual.serving.versions import Version, Versions

__all__ = [
    "Canary",
    "CanaryError",
    "HybridRetriever",
    "ItemColumns",
    "ItemEmbeddings",
    "Reranker",
    "Retriever",
    "ServedGraph",
    "ServedItems",
    "ServedTower",
    "TowerComparison",
    "Version",
    "Versions",
    "compare_query_towers",
    "embed_items",
    "embed_texts",
    "export_onnx",
    "write_server_files",
]
