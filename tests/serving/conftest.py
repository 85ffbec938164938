"""A small model with every kind of query column, as a retriever and as an export of it."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tfdual
from tfdual import ColumnSchema, Schema, Tags

USERS, ITEMS = 40, 60
ITEM_DOMAIN = {"domain": {"name": "item"}}
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("history", [Tags.USER], ITEM_DOMAIN, is_list=True),
        ColumnSchema("interests", [Tags.USER], dtype="string", is_list=True),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("mood", [Tags.USER], dtype="float32", dims=(None, 3)),
        ColumnSchema("visits", [Tags.USER, Tags.CATEGORICAL], dtype="int32"),
        ColumnSchema("question", [Tags.USER, Tags.TEXT], dtype="string"),
        ColumnSchema("item_id", [Tags.ITEM_ID], ITEM_DOMAIN),
        ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string"),
    ]
)


def item_id(i: int) -> int:
    """Ids that float64 can't tell apart."""
    return 2**53 + i


def make_table() -> pa.Table:
    """Two rows a user, every item at least once."""
    rng = np.random.default_rng(0)
    rows = [(f"u{i % USERS}", item_id(i % ITEMS)) for i in range(2 * ITEMS)]
    return pa.table(
        {
            "user_id": [user for user, _ in rows],
            "history": [[item_id(int(j)) for j in rng.integers(0, ITEMS, i % 4)] for i in range(len(rows))],
            "interests": [["jazz", "rock", "polka"][: i % 4] for i in range(len(rows))],
            "age": rng.normal(40, 10, len(rows)).astype(np.float32),
            "mood": pa.array(rng.normal(size=(len(rows), 3)).tolist(), pa.list_(pa.float32())),
            "visits": pa.array(rng.integers(0, 9, len(rows)), pa.int32()),
            "question": [f"where is thing {i}" for i in range(len(rows))],
            "item_id": [item for _, item in rows],
            "title": [f"Título {item - 2**53}" for _, item in rows],
        }
    )


@pytest.fixture(scope="session")
def queries() -> dict[str, list]:
    """Three raw queries; the second has empty lists and values never seen."""
    return {
        "user_id": ["u3", "never seen", "u7"],
        "history": [[item_id(1), item_id(2)], [], [item_id(5)]],
        "interests": [["rock"], [], ["jazz", "polka", "opera"]],
        "age": [31.5, 52.0, 18.25],
        "mood": [[0.5, -1.0, 2.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]],
        "visits": [3, 999, 4],
        "question": ["Where is thing 5?", "", "thing"],
    }


@pytest.fixture(scope="session")
def rows() -> tfdual.Rows:
    return tfdual.read(make_table(), SCHEMA)


@pytest.fixture(scope="session")
def prep(rows: tfdual.Rows) -> tfdual.Preprocessor:
    return tfdual.Preprocessor(SCHEMA).adapt(rows)


@pytest.fixture(scope="session")
def items(rows: tfdual.Rows) -> tfdual.Rows:
    return rows.unique(by="item_id").select(SCHEMA.select_by_tag(Tags.ITEM))


@pytest.fixture(scope="session")
def model(prep: tfdual.Preprocessor) -> tfdual.TwoTowerModel:
    """Untrained: its random weights rank items as well as any."""
    options = tfdual.EmbeddingOptions(embedding_dim_default=8, embeddings_initializers="glorot_normal")
    tower = tfdual.MLPBlock([16, 8], no_activation_last_layer=True)
    towers = tfdual.TwoTowerBlock(prep.schema, tower, embedding_options=options, post="l2-norm")
    model = tfdual.TwoTowerModel(towers)
    model.build()
    return model


@pytest.fixture(scope="session")
def retriever(model: tfdual.TwoTowerModel, items: tfdual.Rows, prep: tfdual.Preprocessor) -> tfdual.Retriever:
    return model.to_retriever(items, index=tfdual.BruteForce(), preprocessor=prep, attributes=["title"])


@pytest.fixture(scope="session")
def exported(retriever: tfdual.Retriever, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of versions, with version 1 in it."""
    folder = tmp_path_factory.mktemp("models") / "movies"
    retriever.export(folder, report={"recall@10": 0.5})
    return folder
