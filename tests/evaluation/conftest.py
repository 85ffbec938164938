"""A small synthetic set: several relevant items a query, some of them seen, some in no corpus."""

import numpy as np
import pyarrow as pa
import pytest

import tfdual
from tfdual import ColumnSchema, Schema, Tags

QUERIES, ITEMS = 50, 40
ITEM_DOMAIN = {"domain": {"name": "item"}}
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("item_id", [Tags.ITEM_ID], ITEM_DOMAIN),
        ColumnSchema("liked", properties=ITEM_DOMAIN, is_list=True),
        ColumnSchema("seen", properties=ITEM_DOMAIN, is_list=True),
        ColumnSchema("liked_pair", properties=ITEM_DOMAIN, dims=(None, 2)),
    ]
)


def make_table() -> pa.Table:
    """`item_id` 40 to 44 and what lists hold above 39 stand in no corpus."""
    rng = np.random.default_rng(0)
    pick = lambda size: [1000 + int(i) for i in rng.choice(ITEMS + 5, size, replace=False)]  # noqa: E731
    liked = [pick(i % 5) for i in range(QUERIES)]
    return pa.table(
        {
            "user_id": [f"u{i % 20}" for i in range(QUERIES)],
            "age": rng.normal(size=QUERIES).astype(np.float32),
            "item_id": [1000 + i % (ITEMS + 5) for i in range(QUERIES)],
            "liked": pa.array(liked, pa.list_(pa.int64())),
            "seen": pa.array([pick(i % 7) + liked[i][: i % 2] for i in range(QUERIES)], pa.list_(pa.int64())),
            "liked_pair": pa.array([pick(2) for _ in range(QUERIES)], pa.list_(pa.int64())),
        }
    )


@pytest.fixture(scope="session")
def table() -> pa.Table:
    return make_table()


@pytest.fixture(scope="session")
def queries(table: pa.Table) -> tfdual.Rows:
    return tfdual.read(table, SCHEMA)


@pytest.fixture(scope="session")
def prep(queries: tfdual.Rows) -> tfdual.Preprocessor:
    return tfdual.Preprocessor(SCHEMA).adapt(queries)


@pytest.fixture(scope="session")
def items() -> tfdual.Rows:
    """The corpus, in an order of its own."""
    ids = 1000 + np.random.default_rng(1).permutation(ITEMS)
    return tfdual.read(pa.table({"item_id": ids}), SCHEMA.select_by_name(["item_id"]))


def make_model(prep: tfdual.Preprocessor) -> tfdual.TwoTowerModel:
    """Untrained; wide initial values, so that no two scores tie."""
    options = tfdual.EmbeddingOptions(embedding_dim_default=8, embeddings_initializers="glorot_normal")
    towers = tfdual.TwoTowerBlock(
        prep.schema, tfdual.MLPBlock([8], no_activation_last_layer=True), embedding_options=options, post="l2-norm"
    )
    model = tfdual.TwoTowerModel(towers)
    model.build()
    return model


@pytest.fixture(scope="session")
def model(prep: tfdual.Preprocessor) -> tfdual.TwoTowerModel:
    return make_model(prep)
