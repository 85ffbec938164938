"""One row for each public Layer, Model and Optimizer: how to make it, and what it takes."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.sample_columns import OPTIONS, SCHEMA, batch, ragged_ids
from tfdual.blocks import (
    AsTabular,
    Cond,
    CrossBlock,
    Debug,
    DenseResidualBlock,
    Filter,
    L2Norm,
    MapValues,
    MixtureOfExpertsBlock,
    MLPBlock,
    ParallelBlock,
    ResidualBlock,
    SequentialBlock,
    TransformerBlock,
)
from tfdual.features import (
    AttentionPooling,
    EmbeddingTable,
    FeatureEncoder,
    GRUEncoder,
    HashedTable,
    InputBlock,
    OneHotEncoder,
    PeriodicEncoder,
    PiecewiseLinearEncoder,
    QuotientRemainderTable,
    TextEncoder,
    TransformerEncoder,
)
from tfdual.features.text import TextPairEncoder, TextTransformer, WordPieceTokenizer
from tfdual.fusion import (
    AttentionFusion,
    ConcatFusion,
    CosineFusion,
    CrossFusion,
    DotInteractionFusion,
    FactorizationMachineFusion,
    GatedFusion,
    MultiplicationFusion,
    PoolingFusion,
    StackFusion,
    WeightedSumFusion,
)
from tfdual.graph import GCN, Graph, GraphSAGE, LightGCN
from tfdual.losses import LearnedTemperature, kl_distillation, similarity_distillation, supervised_contrastive
from tfdual.models import (
    ContrastiveObjective,
    CrossEncoder,
    GraphModel,
    LateInteractionModel,
    MatrixFactorizationModel,
    PolyEncoder,
    SequenceModel,
    TwoTowerModel,
    YouTubeDNNModel,
)
from tfdual.negatives import (
    ColumnNegatives,
    CrossBatchMemory,
    InBatch,
    MinedNegatives,
    Popularity,
    StreamingFrequency,
    SumOfNegatives,
    TextNegatives,
    Uniform,
)
from tfdual.optimizers import LazyAdam, LazyFtrl, LazyMomentum, MultiOptimizer, RowwiseAdagrad
from tfdual.schema import ColumnSchema, Kind, Schema, Tags
from tfdual.tailoring import (
    DeepReranker,
    FrozenItemModel,
    LinearTransform,
    LowRankTransform,
    OrthogonalTransform,
    ScaleTransform,
    TransformedQuery,
)
from tfdual.tailoring.compression import AutoEncoder, EmbeddingCompressor, Truncation
from tfdual.towers import BertTower, DualEncoderBlock, Tower, TwoTowerBlock


@dataclass(frozen=True)
class Row:
    """How a class is put through its paces.

    Args:
        cls: the class.
        arguments: every `__init__` argument, each with another value than its default.
        inputs: a batch; a tuple holds several arguments of the call.
        keeps_dtype: bool. The output has the type of the input, whatever the policy. Defaults to `False`.
    """

    cls: type
    arguments: Callable[[], dict[str, Any]] = dict
    inputs: Callable[[], Any] = lambda: vectors(5)
    keeps_dtype: bool = False

    def make(self) -> Any:
        return self.cls(**self.arguments())


def vectors(width: int, seed: int = 0) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=(6, width)), tf.float32)


def named_vectors(**widths: int) -> Callable[[], dict[str, tf.Tensor]]:
    return lambda: {name: vectors(width, seed) for seed, (name, width) in enumerate(widths.items())}


def keyed_vectors() -> tuple[tf.Tensor, tf.Tensor]:
    return vectors(5), tf.constant([3, 0, 6, 1, 3, 2])


def mlp(width: int) -> MLPBlock:
    return MLPBlock([8, width], activation="tanh")


def towers() -> TwoTowerBlock:
    return TwoTowerBlock(**{k: v for k, v in two_tower_arguments().items() if k not in ("pre", "aggregation")})


def two_tower_arguments() -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "query_tower": mlp(4),
        "item_tower": SequentialBlock([keras.layers.Dense(6, "tanh"), keras.layers.Dense(4)]),
        "query_tower_tag": Tags.ITEM,
        "item_tower_tag": Tags.USER,
        "embedding_options": OPTIONS,
        "post": L2Norm(name="unit"),
        "fusion": WeightedSumFusion(4),
        "pre": Filter(["item_id_log_probability"], exclude=True),
        "aggregation": "cosine",
    }


def lists() -> tf.RaggedTensor:
    return ragged_ids([2, 0, 3, 1, 0, 4], 30)


def weighted_lists() -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    weights = np.random.default_rng(5).uniform(0.5, 1.5, 10)
    return lists(), lists().with_flat_values(tf.constant(weights, tf.float32))


def sequences() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Rows, mask and weights."""
    rng = np.random.default_rng(3)
    rows, weights = rng.normal(size=(6, 4, 4)), rng.uniform(0.5, 1.5, size=(6, 4))
    return tf.constant(rows, tf.float32), tf.sequence_mask([2, 0, 3, 1, 0, 4], 4), tf.constant(weights, tf.float32)


TITLE = Schema([ColumnSchema("title", [Tags.ITEM], dtype="string")])


def texts() -> tf.Tensor:
    return tf.constant(["Teas!", "", "milk and tea", "tea", "coffee", "milk, milk, milk"])


def text_encoder_arguments() -> dict[str, Any]:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "##s", "milk", "and", "!", ","]
    return {
        "tokenizer": WordPieceTokenizer(pieces),
        "transformer": TextTransformer(10, 2, 2, 4, 6, max_length=9, dropout=0.0, trainable_layers="all"),
        "pooling": "weighted",
        "normalize": True,
        "max_length": 8,
        "source": "elsewhere",
    }


PRICE = Schema([ColumnSchema("price", [Tags.ITEM], dtype="float32")])
ASKED = Schema(
    [
        ColumnSchema("asked", [Tags.USER], dtype="string"),
        ColumnSchema("title", [Tags.ITEM], dtype="string"),
        ColumnSchema("id", [Tags.ITEM_ID]),
    ]
)


def liked_graph() -> Graph:
    """User `u` likes the items `u` and `u + 10`; each item has a picture."""
    users, items = np.arange(1, 20), np.arange(1, 30)
    pictures = np.random.default_rng(0).normal(size=(29, 3)).astype("float32")
    liked = {"user_id": np.tile(users, 2), "item_id": np.concatenate([users, users + 10])}
    return Graph.from_rows(liked, SCHEMA).with_columns("item_id", [{"item_id": items, "picture": pictures}])


def masking_encoder() -> TextEncoder:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "##s", "milk", "!", ","]
    transformer = TextTransformer(10, 2, 2, 4, 6, max_length=9, dropout=0.0, trainable_layers="all")
    return TextEncoder(WordPieceTokenizer(pieces), transformer, max_length=8)


def asked_texts() -> dict[str, Any]:
    """Of four tokens each."""
    found = tf.constant(["tea milk", "teas", "milk tea", "tea tea", "milk!", "! tea"])
    return {"asked": found, "title": found[::-1], "id": tf.range(1, 7)}


def poly_encoder_arguments() -> dict[str, Any]:
    columns = [
        ColumnSchema("turns", [Tags.USER], dtype="string", is_list=True),
        ColumnSchema("title", [Tags.ITEM], dtype="string"),
        ColumnSchema("item_id", [Tags.ITEM_ID]),
    ]
    return {
        "schema": Schema(columns),
        "encoder": TextEncoder(**text_encoder_arguments()),
        "item": TextEncoder(**text_encoder_arguments()),
        "codes": 3,
        "reduction": "last",
        "scale": 2.0,
        "post": L2Norm(name="unit"),
        "keep": "first",
        "query_length": 7,
        "seed": 1,
        "temperature": 0.2,
    }


def dialogues() -> dict[str, Any]:
    turns = [["tea", "milk and teas!"], [], ["milk"], ["and", "", "tea, milk"], ["teas"], ["milk, milk", "tea"]]
    return {"turns": tf.ragged.constant(turns), "title": texts(), "item_id": tf.range(6, dtype=tf.int64)}


TABLE = {"cardinality": 30, "dim": 4, "combiner": "sqrtn", "initializer": "normal", "l2": 0.1}


def reads(schema: Schema) -> InputBlock:
    return InputBlock(schema, OPTIONS, aggregation="concat") >> mlp(4)


@keras.saving.register_keras_serializable("tfdual_tests")
class IsReal(keras.layers.Layer):
    """Whether the sum of the squares of the batch is not below 0."""

    def call(self, inputs: Any) -> Any:
        return keras.ops.sum(inputs * inputs) >= 0

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return ()


BLOCKS = [
    Row(
        MLPBlock,
        lambda: {
            "dimensions": [8, 6, 3],
            "activation": ["tanh", keras.activations.gelu, keras.layers.PReLU("ones")],
            "use_bias": False,
            "dropout": 0.2,
            "normalization": keras.layers.LayerNormalization(epsilon=0.01),
            "no_activation_last_layer": True,
            "kernel_initializer": "he_normal",
            "bias_initializer": "ones",
            "kernel_regularizer": "l2",
            "bias_regularizer": keras.regularizers.L1(0.1),
        },
        named_vectors(b=2, a=3),
    ),
    Row(
        DenseResidualBlock,
        lambda: {
            "low_rank_dim": 2,
            "activation": "tanh",
            "use_bias": False,
            "dropout": 0.2,
            "normalization": "batch_norm",
            "depth": 2,
        },
    ),
    Row(
        CrossBlock,
        lambda: {
            "depth": 2,
            "low_rank_dim": 2,
            "use_bias": False,
            "kernel_initializer": "he_normal",
            "kernel_regularizer": "l2",
        },
        named_vectors(b=2, a=3),
    ),
    Row(
        TransformerBlock,
        lambda: {
            "num_layers": 2,
            "num_heads": 2,
            "feed_forward_dim": 6,
            "dropout": 0.2,
            "pooling": "first",
            "seed": 1,
        },
        named_vectors(b=4, a=4, c=4),
    ),
    Row(
        MixtureOfExpertsBlock,
        lambda: {
            "expert": mlp(3),
            "num_experts": 2,
            "num_shared_experts": 1,
            "top_k": 2,
            "shared_name": "both",
            "balance_loss_weight": 0.1,
        },
        named_vectors(b=2, a=3),
    ),
    Row(SequentialBlock, lambda: {"layers": [keras.layers.Dense(4, "tanh"), L2Norm(), mlp(3)]}),
    Row(
        ParallelBlock,
        lambda: {
            "branches": {"columns": InputBlock(SCHEMA.select_by_name(["likes", "genres"]), OPTIONS)},
            "pre": Filter(["likes", "genres"]),
            "post": L2Norm(),
            "aggregation": WeightedSumFusion(4),
            "schema": SCHEMA.select_by_name(["likes", "genres"]),
            "strict": True,
        },
        batch,
    ),
    Row(ResidualBlock, lambda: {"block": mlp(5), "activation": "tanh"}),
    Row(Filter, lambda: {"columns": ["b"], "exclude": True}, named_vectors(b=3, a=3), keeps_dtype=True),
    Row(Cond, lambda: {"condition": IsReal(), "true": mlp(5), "false": keras.layers.Rescaling(2.0)}),
    Row(MapValues, lambda: {"layer": mlp(2)}, named_vectors(b=3, a=3)),
    Row(AsTabular, lambda: {"output_name": "score"}, keeps_dtype=True),
    Row(Debug, keeps_dtype=True),
    Row(L2Norm),
]
FUSIONS = [
    Row(
        AttentionFusion,
        lambda: {"num_heads": 2, "key_dim": 3, "dropout": 0.2, "pooling": "concat", "seed": 7},
        named_vectors(b=4, a=4, c=4),
    ),
    Row(ConcatFusion, lambda: {"transform": mlp(3)}, named_vectors(b=2, a=3)),
    Row(CosineFusion, inputs=named_vectors(b=3, a=3)),
    Row(
        CrossFusion,
        lambda: {
            "depth": 3,
            "low_rank_dim": 2,
            "use_bias": False,
            "kernel_initializer": "he_normal",
            "kernel_regularizer": "l2",
        },
        named_vectors(b=2, a=3),
    ),
    Row(DotInteractionFusion, lambda: {"include_self": True, "keep_inputs": True}, named_vectors(b=3, a=3, c=3)),
    Row(FactorizationMachineFusion, inputs=named_vectors(b=3, a=3, c=3)),
    Row(GatedFusion, lambda: {"use_bias": False}, named_vectors(b=3, a=3, c=3)),
    Row(MultiplicationFusion, inputs=named_vectors(b=3, a=3, c=3)),
    Row(PoolingFusion, lambda: {"mode": "max"}, named_vectors(b=3, a=3, c=3)),
    Row(StackFusion, inputs=named_vectors(b=3, a=3)),
    Row(WeightedSumFusion, lambda: {"dim": 4}, named_vectors(b=4, a=4, age=1)),
]
FEATURES = [
    Row(EmbeddingTable, lambda: TABLE, weighted_lists),
    Row(QuotientRemainderTable, lambda: TABLE | {"num_buckets": 4, "operation": "concat"}, lists),
    Row(HashedTable, lambda: TABLE | {"num_rows": 9, "num_hashes": 3, "seed": 5}, lists),
    Row(OneHotEncoder, lambda: {"cardinality": 30}, lists),
    Row(AttentionPooling, lambda: {"hidden_dim": 3}, sequences),
    Row(GRUEncoder, lambda: {"units": 3, "num_layers": 2}, sequences),
    Row(
        TransformerEncoder,
        lambda: {
            "num_layers": 1,
            "num_heads": 4,
            "max_length": 3,
            "feed_forward_dim": 6,
            "dropout": 0.1,
            "causal": False,
            "pooling": "mean",
            "seed": 1,
        },
        sequences,
    ),
    Row(TextEncoder, text_encoder_arguments, texts),
    Row(
        PeriodicEncoder,
        lambda: {"dim": 4, "num_frequencies": 6, "sigma": 0.5, "activation": "tanh", "seed": 1},
        lambda: vectors(1),
    ),
    Row(PiecewiseLinearEncoder, lambda: {"boundaries": [-1.0, 0.0, 0.5], "dim": 4}, lambda: vectors(1)),
    Row(
        FeatureEncoder,
        lambda: {
            "schema": SCHEMA,
            "embedding_options": OPTIONS,
            "encoders": {"age": keras.layers.Dense(2), Kind.EMBEDDING: mlp(3)},
            "combiners": {"likes": GRUEncoder(3), "genres": "max"},
            "tables": {"item_id": QuotientRemainderTable(30, 4, name="items")},
            "post": L2Norm(),
            "aggregation": "concat",
        },
        batch,
    ),
]
TOWERS = [
    Row(Tower, lambda: {"block": reads(SCHEMA), "post": L2Norm(name="unit")}, batch),
    Row(
        DualEncoderBlock,
        lambda: {
            "query_block": reads(SCHEMA.select_by_tag(Tags.USER)),
            "item_block": reads(SCHEMA.select_by_tag(Tags.ITEM)),
            "pre": Filter(["item_id_log_probability"], exclude=True),
            "post": L2Norm(name="unit"),
            "aggregation": "cosine",
            "schema": SCHEMA,
        },
        batch,
    ),
    Row(TwoTowerBlock, two_tower_arguments, batch),
    Row(
        BertTower,
        lambda: {
            "schema": TITLE,
            "encoder": TextEncoder(**text_encoder_arguments()),
            "num_layers": 1,
            "head": mlp(3),
        },
        lambda: {"title": texts()},
    ),
    Row(
        TwoTowerModel,
        lambda: {
            "towers": towers(),
            "temperature": 0.2,
            "item_id": "user_id",
            "sampling_correction": False,
            "distinct_items": False,
        },
        batch,
    ),
]
MODELS = [
    Row(
        MatrixFactorizationModel,
        lambda: {"schema": SCHEMA, "dim": 5, "item_bias": True, "initializer": "normal", "l2": 0.1, "parts": 2},
        batch,
    ),
    Row(
        GraphModel,
        lambda: {
            "graph": liked_graph(),
            "schema": SCHEMA,
            "encoder": GraphSAGE([5, 3], activation="tanh"),
            "nodes": {"item_id": reads(SCHEMA.select_by_name("picture")).connect(keras.layers.Dense(5))},
            "dim": 5,
            "neighbours": ["likes"],
            "item_bias": True,
            "post": keras.layers.Dense(3, name="last"),
            "initializer": "normal",
            "l2": 0.1,
            "temperature": 0.2,
        },
        batch,
    ),
    Row(PolyEncoder, poly_encoder_arguments, dialogues),
    Row(
        LateInteractionModel,
        lambda: {
            "schema": ASKED,
            "encoder": masking_encoder(),
            "item_encoder": masking_encoder(),
            "dim": 3,
            "query_length": 6,
            "item_length": 7,
            "augment": False,
            "skip_punctuation": False,
            "markers": ("tea", "milk"),
            "num_layers": 1,
            "temperature": 0.2,
        },
        asked_texts,
    ),
    Row(
        CrossEncoder,
        lambda: {
            "encoder": TextPairEncoder(TextEncoder(**text_encoder_arguments()), "mean"),
            "query": "asked",
            "item": "title",
            "features": InputBlock(PRICE, aggregation="concat") >> mlp(3),
            "join": "state",
            "pooler": "sigmoid",
            "num_layers": 1,
            "ranking_loss": functools.partial(kl_distillation, temperature=0.5),
        },
        lambda: {"asked": texts(), "title": tf.reverse(texts(), [0]), "price": tf.linspace(-1.0, 1.0, 6)},
    ),
    Row(
        YouTubeDNNModel,
        lambda: {
            "schema": SCHEMA,
            "query_tower": mlp(4),
            "embedding_options": OPTIONS,
            "post": keras.layers.Dense(3, name="last"),
            "item_bias": True,
            "temperature": 0.2,
            "distinct_queries": "user_id",
        },
        batch,
    ),
    Row(
        SequenceModel,
        lambda: {
            "schema": SCHEMA,
            "sequence": "likes",
            "dim": 4,
            "encoder": TransformerEncoder(1, 2, max_length=3, pooling=None),
            "max_length": 3,
            "post": L2Norm(name="unit"),
        },
        lambda: {"likes": tf.constant(np.random.default_rng(0).integers(1, 30, (6, 4)))},
    ),
]
KEY = ColumnSchema("user_id", [Tags.USER_ID], {"domain": {"name": "user_id", "min": 0, "max": 19}})
TAILORING = [
    Row(ScaleTransform, lambda: {"keys": 7, "l2": 0.1}, keyed_vectors),
    Row(LinearTransform, lambda: {"keys": 7, "l2": 0.1}, keyed_vectors),
    Row(LowRankTransform, lambda: {"rank": 2, "keys": 7, "l2": 0.1, "seed": 1}, keyed_vectors),
    Row(OrthogonalTransform, lambda: {"keys": 7, "l2": 0.1}, keyed_vectors),
    Row(
        TransformedQuery,
        lambda: {"query": reads(SCHEMA.select_by_name("picture")), "transform": ScaleTransform(keys=20), "key": KEY},
        batch,
    ),
    Row(
        FrozenItemModel,
        lambda: {
            "schema": SCHEMA,
            "query_tower": reads(SCHEMA.select_by_name(["user_id", "age"])).connect(keras.layers.Dense(3)),
            "space": "frozen",
            "post": L2Norm(name="unit"),
            "temperature": 0.2,
        },
        batch,
    ),
    Row(
        DeepReranker,
        lambda: {
            "query": "asked",
            "item": "found",
            "hidden": (6, 5),
            "interactions": True,
            "residual": True,
            "activation": "tanh",
            "dropout": 0.1,
            "ranking_loss": functools.partial(kl_distillation, temperature=0.5),
        },
        named_vectors(asked=4, found=4),
    ),
]
COMPRESSION = [
    Row(Truncation, lambda: {"width": 3}),
    Row(
        EmbeddingCompressor,
        lambda: {
            "dim": 4,
            "encoder": mlp(4),
            "fusion": WeightedSumFusion(5),
            "widths": [2, 4],
            "width_weights": [0.5, 1.0],
            "part_weights": {"title": 0.5, "body": 2.0},
            "base_loss": functools.partial(similarity_distillation, temperature=0.5),
        },
        named_vectors(title=5, body=5),
    ),
    Row(
        AutoEncoder,
        lambda: {
            "compressor": EmbeddingCompressor(4, widths=[2, 4]),
            "decoder": mlp(8),
            "weight": 0.5,
        },
        named_vectors(title=5, body=3),
    ),
]
TEMPERATURE = Row(
    LearnedTemperature, lambda: {"initial": 0.2, "minimum": 0.05, "maximum": 2.0}, lambda: vectors(5), keeps_dtype=True
)
ROWS = [*BLOCKS, *FUSIONS, *FEATURES, *TOWERS, *MODELS, *TAILORING, *COMPRESSION, TEMPERATURE]
# They have no call: their configs go through all of it, and tests/negatives/test_training.py saves and loads them.
NEGATIVES = [
    Row(ColumnNegatives, lambda: {"column": "shown", "item_id": "sku", "shared": False}),
    Row(CrossBatchMemory, lambda: {"size": 7, "warm_up": 3}),
    Row(InBatch, lambda: {"hardest": 3}),
    Row(MinedNegatives, lambda: {"count": 2, "ranks": [3, 9], "margin": 0.1, "seed": 2}),
    Row(Popularity, lambda: {"count": 5, "power": 0.75, "seed": 2}),
    Row(StreamingFrequency, lambda: {"size": 9, "rate": 0.1}),
    Row(SumOfNegatives, lambda: {"parts": [InBatch(hardest=3), Uniform(5, seed=2)]}),
    Row(TextNegatives, lambda: {"column": "shown", "item": "title", "item_id": "id", "shared": False}),
    Row(Uniform, lambda: {"count": 5, "seed": 2}),
]
# Nor have they; tests/models/test_graph_model.py saves and loads models of each.
GRAPH_ENCODERS = [
    Row(GCN, lambda: {"units": (5, 3), "activation": "tanh", "dropout": 0.1}),
    Row(
        GraphSAGE,
        lambda: {
            "units": (5, 3),
            "aggregator": "max",
            "combination": "mean",
            "activation": "tanh",
            "normalize": False,
        },
    ),
    Row(LightGCN, lambda: {"layers": 2}),
]
# Nor has it; tests/models/test_contrastive_objective.py saves and loads models that hold it.
OBJECTIVES = [
    Row(
        ContrastiveObjective,
        lambda: {
            "item_id": "sku",
            "temperature": (LearnedTemperature(0.3), 0.2),
            "negatives": InBatch(hardest=4) + CrossBatchMemory(5),
            "sampling_correction": StreamingFrequency(9),
            "loss": functools.partial(supervised_contrastive),
            "symmetric": True,
            "known_positives": "likes",
            "several_positives": True,
            "distinct_items": False,
        },
    ),
]
OPTIMIZERS = [
    Row(
        LazyAdam,
        lambda: {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-5, "name": "another_adam"},
    ),
    Row(
        LazyFtrl,
        lambda: {
            "learning_rate": 0.02,
            "learning_rate_power": -0.6,
            "initial_accumulator_value": 0.2,
            "l1_regularization_strength": 0.01,
            "l2_regularization_strength": 0.03,
            "l2_shrinkage_regularization_strength": 0.04,
            "beta": 0.5,
            "name": "another_ftrl",
        },
    ),
    Row(LazyMomentum, lambda: {"learning_rate": 0.02, "momentum": 0.8, "nesterov": True, "name": "another_momentum"}),
    Row(
        MultiOptimizer,
        lambda: {
            "parts": {"*_table/embeddings": RowwiseAdagrad(0.1), "*/bias": LazyFtrl()},
            "default": LazyAdam(0.01),
            "global_clipnorm": 2.0,
            "name": "another_multi",
        },
    ),
    Row(
        RowwiseAdagrad,
        lambda: {
            "learning_rate": 0.02,
            "initial_accumulator_value": 0.2,
            "epsilon": 1e-5,
            "tables": "*_table/*",
            "name": "another_adagrad",
        },
    ),
]
