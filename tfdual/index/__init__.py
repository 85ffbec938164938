"""Embeddings -> neighbours."""

from tfdual.index.brute_force import BruteForce
from tfdual.index.index import Index
from tfdual.index.max_sim_index import MaxSimIndex
from tfdual.index.neighbours import Neighbours
from tfdual.index.poly_index import PolyIndex
from tfdual.index.scann import ScaNN

__all__ = ["BruteForce", "Index", "MaxSimIndex", "Neighbours", "PolyIndex", "ScaNN"]
