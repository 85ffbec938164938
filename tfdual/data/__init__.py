"""Rows in, tensors out."""

from tfdual.data.read import read
from tfdual.data.rows import Rows

__all__ = ["Rows", "read"]
