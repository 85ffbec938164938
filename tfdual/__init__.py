"""Dual-encoder retrieval on TensorFlow and Keras 3: tagged features in, a trained two-tower out, served."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from importlib.metadata import version

from tfdual import data, losses, metrics, negatives, preprocessing, tailoring
from tfdual._debug import set_debug
from tfdual.blocks import Block, L2Norm, MLPBlock, ParallelBlock, SequentialBlock
from tfdual.data import CsvFormat, Rows, infer_schema, read, validate
from tfdual.evaluation import CorpusEvaluation, evaluate
from tfdual.features import EmbeddingOptions, FeatureEncoder, InputBlock
from tfdual.fusion import ConcatFusion, PoolingFusion
from tfdual.index import BruteForce, ScaNN
from tfdual.models import MatrixFactorizationModel, SequenceModel, TwoTowerModel, YouTubeDNNModel
from tfdual.optimizers import LazyAdam
from tfdual.preprocessing import Preprocessor
from tfdual.schema import ColumnSchema, Schema, Tags
from tfdual.serving import Retriever
from tfdual.towers import DualEncoderBlock, MatrixFactorizationBlock, Tower, TwoTowerBlock, as_functional

__version__ = version("tfdual")

__all__ = [
    "Block",
    "BruteForce",
    "ColumnSchema",
    "ConcatFusion",
    "CorpusEvaluation",
    "CsvFormat",
    "DualEncoderBlock",
    "EmbeddingOptions",
    "FeatureEncoder",
    "InputBlock",
    "L2Norm",
    "LazyAdam",
    "MLPBlock",
    "MatrixFactorizationBlock",
    "MatrixFactorizationModel",
    "ParallelBlock",
    "PoolingFusion",
    "Preprocessor",
    "Retriever",
    "Rows",
    "ScaNN",
    "Schema",
    "SequenceModel",
    "SequentialBlock",
    "Tags",
    "Tower",
    "TwoTowerBlock",
    "TwoTowerModel",
    "YouTubeDNNModel",
    "as_functional",
    "data",
    "evaluate",
    "infer_schema",
    "losses",
    "metrics",
    "negatives",
    "preprocessing",
    "read",
    "set_debug",
    "tailoring",
    "validate",
]
