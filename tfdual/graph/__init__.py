"""Graphs of typed nodes and edges, and encoders of nodes by their neighbours."""

from tfdual.graph.gcn import GCN
from tfdual.graph.graph import Graph
from tfdual.graph.graph_encoder import GraphEncoder
from tfdual.graph.graph_sage import GraphSAGE
from tfdual.graph.light_gcn import LightGCN
from tfdual.graph.neighbour_sampler import NeighbourSampler
from tfdual.graph.relation import Relation

__all__ = ["GCN", "Graph", "GraphEncoder", "GraphSAGE", "LightGCN", "NeighbourSampler", "Relation"]
