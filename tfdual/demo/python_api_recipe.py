"""Search the Python API by what a function does."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfdual.demo import python_api
from tfdual.demo.recipe import Recipe
from tfdual.features import EmbeddingOptions
from tfdual.fusion import WeightedSumFusion
from tfdual.models import TwoTowerModel
from tfdual.preprocessing import HashedText
from tfdual.ranking import BM25
from tfdual.schema import ColumnSchema, Schema, Tags
from tfdual.towers import TwoTowerBlock

DIM = 256
BUCKETS = 2**16
COUNTS = ("num_parameters", "num_defaults", "num_doc_words", "num_lines")
QUESTIONS = (
    "copy a directory tree recursively",
    "matrix or vector norm",
    "parse a JSON document into Python objects",
    "stop training when a metric stops improving",
)


def schema() -> Schema:
    """Query: the first sentence of a docstring. Item: everything else that the source says of a symbol."""
    text = {"domain": {"name": "text"}}

    def item(name: str, tag: str, **options: Any) -> ColumnSchema:
        return ColumnSchema(name, [Tags.ITEM, tag], **options)

    return Schema(
        [
            ColumnSchema("summary", [Tags.USER, Tags.TEXT], text, "string"),
            ColumnSchema("symbol", [Tags.ITEM_ID], dtype="string"),
            item("name_words", Tags.TEXT, properties=text, dtype="string"),
            item("description", Tags.TEXT, properties=text, dtype="string"),
            item("package", Tags.CATEGORICAL, dtype="string"),
            item("module", Tags.CATEGORICAL, dtype="string"),
            item("kind", Tags.CATEGORICAL, dtype="string"),
            item("parameters", Tags.CATEGORICAL, dtype="string", is_list=True),
            *(item(name, Tags.CONTINUOUS, dtype="float32") for name in COUNTS),
        ]
    )


def build(ready: Schema) -> TwoTowerModel:
    """Both towers add up text vectors of one shared table; the symbol itself is no feature, since new ones come."""
    towers = TwoTowerBlock(
        ready.without("symbol"),
        query_tower=keras.layers.Identity(),
        embedding_options=EmbeddingOptions(embedding_dim_default=16, embedding_dims={"text": DIM}, combiner="sqrtn"),
        fusion=WeightedSumFusion(DIM),
        post="l2-norm",
    )
    return TwoTowerModel(towers, temperature=0.07, item_id="symbol")


def python_api_recipe(packages: Sequence[str] | None = None, progress: python_api.Progress | None = None) -> Recipe:
    """Collect the symbols of the installed Python and hold 10% of them out.

    Args:
        packages: sequence of str. Top-level packages. Defaults to `None`: the standard library and all installed.
        progress: called with files done and files in all. Defaults to `None`.
    """
    items = python_api.collect_symbols(packages, progress)
    train, test = python_api.split_symbols(items)
    queries = python_api.test_queries(test)
    sentences = queries.column("summary").to_pylist()
    text = python_api.item_text(items)
    names = items.column("name_words").to_pylist()

    def bm25(texts: list[str], k: int) -> np.ndarray:
        return BM25().build(texts, items.column("symbol").to_pylist()).search(sentences, k).ids

    return Recipe(
        name="python-api",
        schema=schema(),
        item_id="symbol",
        train=train,
        queries=queries,
        items=items,
        build=build,
        transforms={"text": HashedText(BUCKETS)},
        epochs=6,
        batch_size=1024,
        learning_rate=3e-3,
        baselines={
            "BM25": lambda k: bm25(text, k),
            "BM25, names twice": lambda k: bm25([" ".join(pair) for pair in zip(text, names, strict=True)], k),
        },
        headline="recall@10",
        category="package",
        attributes=("kind",),
        questions={question: {"summary": [question]} for question in QUESTIONS},
    )
