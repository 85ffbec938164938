"""Model-ready column -> vector."""

from tfdual.features.embedding_options import EmbeddingOptions
from tfdual.features.embedding_table import EmbeddingTable
from tfdual.features.feature_encoder import FeatureEncoder
from tfdual.features.table import Table

InputBlock = FeatureEncoder

__all__ = ["EmbeddingOptions", "EmbeddingTable", "FeatureEncoder", "InputBlock", "Table"]
