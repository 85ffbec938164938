"""The public names. A change here is a change for users: it belongs in CHANGELOG.md."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import tfdual

APPLICATIONS = {"cli", "demo"}
NESTED = {"tailoring.compression", "tailoring.vespa"}
NAMES = {
    "tfdual": [
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
        "CsvFormat",
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
        "TextEncoder",
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
    "tfdual.graph": [
        "GCN",
        "Graph",
        "GraphEncoder",
        "GraphSAGE",
        "LightGCN",
        "NeighbourSampler",
        "Relation",
    ],
    "tfdual.index": ["BruteForce", "Index", "MaxSimIndex", "Neighbours", "PolyIndex", "ScaNN"],
    "tfdual.interactions": [
        "InnerProduct",
        "Interaction",
        "MaxSim",
        "PolyAttention",
    ],
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
        "matryoshka",
        "neighbour_distillation",
        "pairwise_logistic",
        "reconstruction",
        "sampled_softmax",
        "semi_hard_triplet",
        "similarity_distillation",
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
        "CrossEncoder",
        "DualEncoder",
        "GraphModel",
        "KnownItems",
        "LateInteractionModel",
        "LightGCNModel",
        "MatrixFactorizationModel",
        "Pairs",
        "PolyEncoder",
        "RankingModel",
        "SequenceModel",
        "Side",
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
        "TextNegatives",
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
    "tfdual.ranking": [
        "BM25",
        "ListFusion",
        "ReciprocalRank",
        "WeightChoice",
        "WeightedScores",
        "WordAnalysis",
        "choose_weight",
        "reciprocal_rank_fusion",
        "weighted_fusion",
    ],
    "tfdual.schema": ["ColumnSchema", "Kind", "Schema", "Tags"],
    "tfdual.serving": [
        "Canary",
        "CanaryError",
        "HybridRetriever",
        "ItemColumns",
        "ItemEmbeddings",
        "Reranker",
        "Retriever",
        "ServedGraph",
        "ServedItems",
        "ServedTower",
        "TowerComparison",
        "Version",
        "Versions",
        "compare_query_towers",
        "embed_items",
        "embed_texts",
        "export_onnx",
        "write_server_files",
    ],
    "tfdual.tailoring": [
        "DeepReranker",
        "FrozenItemModel",
        "FrozenItems",
        "LinearTransform",
        "LowRankTransform",
        "OrthogonalTransform",
        "ScaleTransform",
        "TailoringReport",
        "TransformedQuery",
        "compression",
        "reranking_lists",
        "tailoring_report",
    ],
    "tfdual.tailoring.compression": [
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
    ],
    "tfdual.tailoring.vespa": [
        "VespaApplication",
        "VespaIndex",
        "VespaItems",
        "VespaQueryTower",
        "VespaReranker",
    ],
    "tfdual.tfrs": ["QueryModel", "TrainedTower", "retriever_of_towers"],
    "tfdual.towers": [
        "BertTower",
        "DualEncoderBlock",
        "MatrixFactorizationBlock",
        "Tower",
        "TwoTowerBlock",
        "as_functional",
    ],
}


def test_every_package_is_pinned() -> None:
    packages = {module.name for module in pkgutil.iter_modules(tfdual.__path__) if module.ispkg} | NESTED
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


REGISTERED = """
import importlib, pkgutil
import tfdual, keras
known = set(keras.saving.get_custom_objects())
for module in pkgutil.walk_packages(tfdual.__path__, "tfdual."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(sorted(set(keras.saving.get_custom_objects()) - known))
"""


def test_whatever_was_saved_loads_where_the_library_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", REGISTERED], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr
