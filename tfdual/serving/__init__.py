"""Retriever and saved artefacts."""

from tfdual.serving.retriever import Retriever
from tfdual.serving.served_graph import ServedGraph

__all__ = ["Retriever", "ServedGraph"]
