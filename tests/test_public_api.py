"""The public names. A change here is a change for users: it belongs in CHANGELOG.md."""

import importlib
import pkgutil

import pytest

import tfdual

APPLICATIONS = {"cli", "demo"}
NAMES = {
    "tfdual": [
        "Block",
        "BruteForce",
        "ColumnSchema",
        "ConcatFusion",
        "CorpusEvaluation",
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
        "validate",
    ],
    "tfdual.blocks": [
        "AsTabular",
        "Block",
        "Cond",
        "CrossBlock",
        "Debug",
        "DenseResidualBlock",
        "Filter",
        "L2Norm",
        "MLPBlock",
        "MapValues",
        "MixtureOfExpertsBlock",
        "ParallelBlock",
        "ResidualBlock",
        "SequentialBlock",
        "TransformerBlock",
    ],
    "tfdual.data": [
        "Rows",
        "ValidationReport",
        "group_by",
        "group_split",
        "infer_schema",
        "join",
        "leave_one_out_split",
        "random_split",
        "read",
        "time_split",
        "validate",
        "with_history",
    ],
    "tfdual.evaluation": [
        "Comparison",
        "CorpusEvaluation",
        "EvaluationOptions",
        "EvaluationReport",
        "evaluate",
        "evaluate_rankings",
        "evaluate_retriever",
        "write_projector",
    ],
    "tfdual.features": [
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
        "TransformerEncoder",
    ],
    "tfdual.fusion": [
        "AttentionFusion",
        "ConcatFusion",
        "CosineFusion",
        "CrossFusion",
        "DotInteractionFusion",
        "FactorizationMachineFusion",
        "GatedFusion",
        "MultiplicationFusion",
        "PoolingFusion",
        "StackFusion",
        "WeightedSumFusion",
        "as_fusion",
    ],
    "tfdual.index": ["BruteForce", "Index", "Neighbours", "ScaNN"],
    "tfdual.losses": [
        "LearnedTemperature",
        "binary_cross_entropy",
        "bpr",
        "cosine_contrastive",
        "decoupled_info_nce",
        "hinge",
        "in_batch_softmax",
        "kl_distillation",
        "margin_mse",
        "mark_positives",
        "pairwise_logistic",
        "sampled_softmax",
        "semi_hard_triplet",
        "supervised_contrastive",
    ],
    "tfdual.metrics": [
        "PairedTest",
        "average_popularity",
        "average_precision",
        "bootstrap_interval",
        "break_ties",
        "coverage",
        "hit_rate",
        "ndcg",
        "novelty",
        "paired_test",
        "popularity_bias",
        "precision",
        "ranking_metrics",
        "recall",
        "reciprocal_rank",
    ],
    "tfdual.models": [
        "BackupAndRestore",
        "ContrastiveObjective",
        "DualEncoder",
        "MatrixFactorizationModel",
        "Pairs",
        "SequenceModel",
        "TwoTowerModel",
        "YouTubeDNNModel",
    ],
    "tfdual.negatives": [
        "Batch",
        "Catalogue",
        "ColumnNegatives",
        "CrossBatchMemory",
        "InBatch",
        "MinedNegatives",
        "Negatives",
        "Popularity",
        "StreamingFrequency",
        "SumOfNegatives",
        "Uniform",
    ],
    "tfdual.optimizers": [
        "LazyAdam",
        "LazyFtrl",
        "LazyMomentum",
        "LazyOptimizer",
        "MultiOptimizer",
        "RowwiseAdagrad",
    ],
    "tfdual.preprocessing": [
        "Buckets",
        "Chain",
        "Clip",
        "FillMissing",
        "HashBuckets",
        "HashedText",
        "L2Normalize",
        "LearnedText",
        "ListSlice",
        "Log1p",
        "MinMax",
        "MultiHot",
        "NGrams",
        "OneHot",
        "Passthrough",
        "Preprocessor",
        "QuantileBuckets",
        "Split",
        "Standardize",
        "Transform",
        "Vocabulary",
        "WordPiece",
    ],
    "tfdual.schema": ["ColumnSchema", "Kind", "Schema", "Tags"],
    "tfdual.serving": ["Retriever", "ServedGraph", "Version", "Versions"],
    "tfdual.towers": [
        "DualEncoderBlock",
        "MatrixFactorizationBlock",
        "Tower",
        "TwoTowerBlock",
        "as_functional",
    ],
}


def test_every_package_is_pinned() -> None:
    packages = {module.name for module in pkgutil.iter_modules(tfdual.__path__) if module.ispkg}
    assert {f"tfdual.{name}" for name in packages - APPLICATIONS} | {"tfdual"} == set(NAMES)


@pytest.mark.parametrize("package", NAMES)
def test_exported_names_are_the_pinned_ones_in_order(package: str) -> None:
    assert importlib.import_module(package).__all__ == NAMES[package]


@pytest.mark.parametrize("package", NAMES)
def test_exported_names_exist_and_say_what_they_are(package: str) -> None:
    module = importlib.import_module(package)
    assert [name for name in NAMES[package] if not getattr(module, name).__doc__] == []


@pytest.mark.parametrize("package", [name for name in NAMES if name != "tfdual"])
def test_top_level_name_is_the_one_of_its_package(package: str) -> None:
    module = importlib.import_module(package)
    shared = set(NAMES["tfdual"]) & set(NAMES[package])
    assert [name for name in shared if getattr(tfdual, name) is not getattr(module, name)] == []
