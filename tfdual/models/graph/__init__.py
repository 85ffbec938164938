"""Retrieval by embeddings of nodes: a model that propagates a graph, and what it is when frozen."""

from tfdual.models.graph.graph_model import GraphModel
from tfdual.models.graph.light_gcn_model import LightGCNModel
from tfdual.models.graph.propagated_model import PropagatedModel

__all__ = ["GraphModel", "LightGCNModel", "PropagatedModel"]
