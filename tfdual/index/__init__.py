"""Embeddings -> neighbours."""

from tfdual.index.brute_force import BruteForce
from tfdual.index.index import Index
from tfdual.index.neighbours import Neighbours
from tfdual.index.scann import ScaNN

__all__ = ["BruteForce", "Index", "Neighbours", "ScaNN"]
