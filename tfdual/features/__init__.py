"""Model-ready column -> vector."""

from tfdual.features.attention_pooling import AttentionPooling
from tfdual.features.embedding_options import EmbeddingOptions
from tfdual.features.embedding_table import EmbeddingTable
from tfdual.features.feature_encoder import FeatureEncoder
from tfdual.features.gru_encoder import GRUEncoder
from tfdual.features.hashed_table import HashedTable
from tfdual.features.one_hot_encoder import OneHotEncoder
from tfdual.features.periodic_encoder import PeriodicEncoder
from tfdual.features.piecewise_linear_encoder import PiecewiseLinearEncoder
from tfdual.features.quotient_remainder_table import QuotientRemainderTable
from tfdual.features.table import Table
from tfdual.features.text import TextEncoder
from tfdual.features.transformer_encoder import TransformerEncoder

InputBlock = FeatureEncoder

__all__ = [
    "AttentionPooling",
    "EmbeddingOptions",
    "EmbeddingTable",
    "FeatureEncoder",
    "GRUEncoder",
    "HashedTable",
    "InputBlock",
    "OneHotEncoder",
    "PeriodicEncoder",
    "PiecewiseLinearEncoder",
    "QuotientRemainderTable",
    "Table",
    "TextEncoder",
    "TransformerEncoder",
]
