"""The command line in this process, and two tiny models to ask."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

import tfdual
from tfdual import ColumnSchema, Schema, Tags
from tfdual.cli import main

ITEMS = 12


class Finished(NamedTuple):
    code: int
    out: str
    err: str


RunTfdual = Callable[..., Finished]


@pytest.fixture
def run_tfdual(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunTfdual:
    """`tfdual WORDS...` without a process of its own."""

    def run(*words: str | Path) -> Finished:
        monkeypatch.setattr(sys, "argv", ["tfdual", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Finished(int(stopped.value.code or 0), *capfd.readouterr())

    return run


def export(query_columns: list[ColumnSchema], values: dict[str, list], folder: Path, titles: str = "Book {}") -> Path:
    """An untrained model over these query columns, with books as items."""
    item_columns = [
        ColumnSchema("book_id", [Tags.ITEM_ID]),
        ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string"),
    ]
    schema = Schema([*query_columns, *item_columns])
    books = {"book_id": list(range(100, 100 + ITEMS)), "title": [titles.format(i) for i in range(ITEMS)]}
    rows = tfdual.read(pa.table(values | books), schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    options = tfdual.EmbeddingOptions(embedding_dim_default=4, embeddings_initializers="glorot_normal")
    tower = tfdual.MLPBlock([4], no_activation_last_layer=True)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tower, embedding_options=options, post="l2-norm"))
    model.build()
    items = rows.select(schema.select_by_tag(Tags.ITEM))
    retriever = model.to_retriever(items, tfdual.BruteForce(), prep, attributes=["title"])
    retriever.export(folder, {"metrics": {"tfdual": {"recall@10": 0.25}}})
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of four query columns."""
    columns = [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("recent", [Tags.USER], is_list=True),
        ColumnSchema("age", [Tags.USER, Tags.CONTINUOUS], dtype="float32"),
        ColumnSchema("mood", [Tags.USER, Tags.EMBEDDING], dtype="float32", dims=(None, 2)),
    ]
    values = {
        "user_id": [f"u{i}" for i in range(ITEMS)],
        "recent": [[100 + i] for i in range(ITEMS)],
        "age": pa.array(np.arange(ITEMS) + 20, pa.float32()),
        "mood": pa.array([[float(i), 1.0] for i in range(ITEMS)], pa.list_(pa.float32())),
    }
    return export(columns, values, tmp_path_factory.mktemp("pairs") / "books")


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one text column."""
    columns = [ColumnSchema("question", [Tags.USER, Tags.TEXT], dtype="string")]
    return export(
        columns, {"question": [f"where is {i}" for i in range(ITEMS)]}, tmp_path_factory.mktemp("text") / "books"
    )
