"""Embeddings -> neighbours."""

from tfdual.index.brute_force import BruteForce
from tfdual.index.index import Index
from tfdual.index.scann import ScaNN

__all__ = ["BruteForce", "Index", "ScaNN"]
