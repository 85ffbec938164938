"""A small corpus of frozen vectors, and queries whose items lie elsewhere than the queries' vectors say."""

import keras
import numpy as np
import pyarrow as pa

import tfdual
from tfdual import BruteForce, ColumnSchema, InputBlock, Preprocessor, Schema, Tags
from tfdual.blocks.block import LayerLike
from tfdual.tailoring import FrozenItemModel, FrozenItems

DIM, ITEMS, QUERIES = 8, 200, 160
RNG = np.random.default_rng(0)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("float32")


VECTORS = unit(RNG.normal(size=(ITEMS, DIM)))
IDS = np.array([f"d{number}" for number in range(ITEMS)])
ROTATION = np.linalg.qr(RNG.normal(size=(DIM, DIM)))[0]
TARGETS = RNG.integers(0, ITEMS, QUERIES)
# A rotation away from its item, so that the frozen vectors find nothing and a linear map finds all.
ASKED = unit(VECTORS[TARGETS] @ ROTATION + 0.05 * RNG.normal(size=(QUERIES, DIM)))
RELEVANT = [[IDS[target]] for target in TARGETS]

ASKED_COLUMN = ColumnSchema("asked", [Tags.USER], dtype="float32", is_list=True, dims=(None, DIM))
QUERY_SCHEMA = Schema([ASKED_COLUMN, ColumnSchema("doc", [Tags.ITEM_ID], dtype="string")])


def frozen() -> FrozenItems:
    return FrozenItems(IDS, VECTORS, space="frozen")


def pairs() -> tfdual.Rows:
    """Queries with the vectors of their items."""
    asked = pa.FixedSizeListArray.from_arrays(pa.array(ASKED.reshape(-1)), DIM)
    rows = tfdual.read(pa.table([asked, pa.array(IDS[TARGETS])], ["asked", "doc"]), QUERY_SCHEMA)
    return tfdual.data.join(rows, frozen().rows("doc"), on="doc")


def model_of(preprocessor: Preprocessor, *layers: LayerLike, **options: object) -> FrozenItemModel:
    """A query tower of these layers on the query's vector."""
    features = InputBlock(preprocessor.schema.select_by_name("asked"), aggregation="concat")
    tower = features.connect(*layers) if layers else features
    return FrozenItemModel(preprocessor.schema, tower, space="frozen", **options)


def preprocessor() -> Preprocessor:
    return Preprocessor(pairs().schema).adapt(pairs())


def trained(ready: Preprocessor, *layers: LayerLike, epochs: int = 30, **options: object) -> FrozenItemModel:
    keras.utils.set_random_seed(0)
    model = model_of(ready, *layers, **options)
    model.compile(tfdual.LazyAdam(0.03))
    model.fit(pairs().batch(32, shuffle=True, seed=0).map(ready), epochs=epochs, verbose=0)
    return model


def retriever(ready: Preprocessor, model: FrozenItemModel, **options: object) -> tfdual.Retriever:
    index = frozen().index(BruteForce())
    return model.to_retriever(frozen().rows("doc"), index, ready, **options)
