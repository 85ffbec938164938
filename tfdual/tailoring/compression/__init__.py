"""Frozen vectors, fused and made shorter."""

from tfdual.tailoring.compression.auto_encoder import AutoEncoder
from tfdual.tailoring.compression.compress import Compression, CompressionOptions, compress
from tfdual.tailoring.compression.compression_report import CompressionReport, CompressionRow
from tfdual.tailoring.compression.compressor import EmbeddingCompressor
from tfdual.tailoring.compression.encoders import linear_encoder, mlp_encoder, normalized_encoder
from tfdual.tailoring.compression.mixed_rows import mixed_rows
from tfdual.tailoring.compression.pca import PCA
from tfdual.tailoring.compression.projection import Projection
from tfdual.tailoring.compression.random_projection import RandomProjection
from tfdual.tailoring.compression.truncation import Truncation

__all__ = [
    "PCA",
    "AutoEncoder",
    "Compression",
    "CompressionOptions",
    "CompressionReport",
    "CompressionRow",
    "EmbeddingCompressor",
    "Projection",
    "RandomProjection",
    "Truncation",
    "compress",
    "linear_encoder",
    "mixed_rows",
    "mlp_encoder",
    "normalized_encoder",
]
