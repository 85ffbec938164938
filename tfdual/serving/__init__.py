"""Retriever, saved artefacts and their versions."""

from tfdual.serving.retriever import Retriever
from tfdual.serving.served_graph import ServedGraph
from tfdual.serving.versions import Version, Versions

__all__ = ["Retriever", "ServedGraph", "Version", "Versions"]
