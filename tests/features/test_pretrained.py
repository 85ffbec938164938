"""Tables that start from vectors made elsewhere, and that are written for others."""

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from tfdual.features import EmbeddingTable, HashedTable, QuotientRemainderTable

VECTORS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "float32")
COLUMNS = {"id": [4, 1, 2], "embedding": VECTORS.tolist()}
ROWS = np.array([[0, 0], [3, 4], [5, 6], [0, 0], [1, 2]], "float32")
NAMES = [b"red", b"green", b"blue"]


def values(table: EmbeddingTable) -> np.ndarray:
    return table.embeddings.numpy()


def arrow(**columns: Any) -> pa.Table:
    return pa.table(COLUMNS | columns)


def parquet(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


def test_row_of_a_matrix_is_the_vector_of_its_id() -> None:
    table = EmbeddingTable.from_pretrained(VECTORS.astype("float64"), combiner="sum", name="colours")
    assert (table.cardinality, table.dim, table.combiner, table.name) == (3, 2, "sum", "colours")
    np.testing.assert_array_equal(table(tf.constant([2, 1])), VECTORS[[2, 1]])
    np.testing.assert_array_equal(table(tf.constant([99])), VECTORS[[0]])


@pytest.mark.parametrize(
    "kind", ["pandas", "polars", "arrow", "parquet", "fixed_size", "large", "polars_array", "text"]
)
def test_vectors_go_to_the_rows_of_their_ids_and_others_get_zeros(kind: str, tmp_path: Path) -> None:
    data: Any = {
        "pandas": lambda: pd.DataFrame({"id": COLUMNS["id"], "embedding": list(VECTORS)}),
        "polars": lambda: pl.DataFrame(COLUMNS),
        "arrow": lambda: pa.concat_tables([arrow().slice(0, 1), arrow().slice(1)]),
        "parquet": lambda: parquet(tmp_path / "vectors.parquet", arrow(other=["a", "b", "c"])),
        "fixed_size": lambda: arrow(embedding=pa.array(COLUMNS["embedding"], pa.list_(pa.float16(), 2))),
        "large": lambda: arrow(embedding=pa.array(COLUMNS["embedding"], pa.large_list(pa.float64()))),
        "polars_array": lambda: pl.DataFrame(COLUMNS, schema_overrides={"embedding": pl.Array(pl.Float32, 2)}),
        "text": lambda: str(parquet(tmp_path / "vectors.parquet", arrow())),
    }[kind]()
    np.testing.assert_array_equal(values(EmbeddingTable.from_pretrained(data)), ROWS)


def test_row_0_and_rows_without_a_vector_get_the_vector_of_id_0() -> None:
    table = EmbeddingTable.from_pretrained(arrow(id=[0, 3, 2]), cardinality=5)
    np.testing.assert_array_equal(values(table), VECTORS[[0, 0, 2, 1, 0]])
    table = EmbeddingTable.from_pretrained(VECTORS, cardinality=4)
    np.testing.assert_array_equal(values(table), VECTORS[[0, 1, 2, 0]])


def test_columns_may_have_other_names() -> None:
    data = arrow().rename_columns(["movie", "vector"])
    table = EmbeddingTable.from_pretrained(data, id_column="movie", vector_column="vector")
    np.testing.assert_array_equal(values(table), ROWS)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.string_view()])
def test_raw_values_find_their_rows_by_the_vocabulary(kind: pa.DataType) -> None:
    data = arrow(id=pa.array(["blue", "mauve", "red"], pa.string()).cast(kind))
    wanted = np.array([[0, 0], [5, 6], [0, 0], [1, 2]])
    for ids in (NAMES, np.array(["red", "green", "blue"]), np.array(NAMES, object)):
        np.testing.assert_array_equal(values(EmbeddingTable.from_pretrained(data, ids=ids)), wanted)


def test_raw_integers_find_their_rows_by_the_vocabulary() -> None:
    data = arrow(id=[900, 2**60 + 1, 2**60])
    table = EmbeddingTable.from_pretrained(data, ids=np.array([2**60, 17, 900, 2**60 + 1]))
    np.testing.assert_array_equal(values(table), [[0, 0], [5, 6], [0, 0], [1, 2], [3, 4]])


def test_vocabulary_fills_the_last_rows_and_vectors_without_an_id_the_first() -> None:
    data = arrow(id=["green", None, "red"])
    table = EmbeddingTable.from_pretrained(data, ids=NAMES, cardinality=5)
    np.testing.assert_array_equal(values(table), [[3, 4], [3, 4], [5, 6], [1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (arrow(id=[1, 1, 2]), {}, r"Each id has one vector. These stand several times: \[1\]"),
        (arrow(id=[0, None, 2]), {}, "Row 0 has one vector. The data has several"),
        (arrow(id=[1, -1, 2]), {}, r"The table has 3 rows, 0 .. 2. The data has the ids \[-1\]"),
        (arrow(), {"cardinality": 4}, r"The table has 4 rows, 0 .. 3. The data has the ids \[4\]"),
        (arrow(id=["a", "b", "c"]), {}, "The data's ids are strings: pass `ids`"),
        (arrow(id=["a", "b", "c"]), {"ids": NAMES}, "None of the 3 ids, of the type binary, has a vector"),
        (arrow(), {"ids": NAMES}, "None of the 3 ids, of the type binary, has a vector. .* type int64"),
        (arrow(id=["red", None, None]), {"ids": NAMES, "cardinality": 4}, "The data has 2 vectors without an id"),
        (arrow(embedding=[[1.0], [1.0, 2.0], [3.0]]), {}, r"must have one width. Received the widths \[1, 2\]"),
        (arrow(embedding=[[1.0, 2.0], None, [3.0, 4.0]]), {}, "has gaps"),
        (arrow(embedding=[[1.0, 2.0], [None, 1.0], [3.0, 4.0]]), {}, "has gaps"),
        (arrow(embedding=[[1.0, 2.0], [np.nan, 1.0], [3.0, 4.0]]), {}, "The vector of row 1 holds NaN"),
        (arrow().slice(0, 0), {}, "The data holds no vector"),
        (arrow(), {"vector_column": "vector"}, r"lacks the columns \['vector'\]. It has \['id', 'embedding'\]"),
        (
            arrow().to_pandas(),
            {"vector_column": "vector"},
            r"It has \['id', 'embedding'\]. Say .* vector_column=\.\.\.",
        ),
        (VECTORS[0], {}, r"Received the shape \(2,\)"),
        (VECTORS * np.array([1, np.inf]), {}, "The vector of row 0 holds NaN or infinity"),
        (VECTORS, {"cardinality": 2}, r"The table has 2 rows, 0 .. 1. The data has the ids \[2\]"),
        (VECTORS, {"ids": NAMES}, "Row i of a matrix is of id i: leave `ids` out"),
    ],
)
def test_vectors_that_make_no_table_are_refused(data: Any, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingTable.from_pretrained(data, **arguments)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (arrow(id=[1.5, 2.5, 3.5]), "Ids are integers or strings. Received the type double"),
        (arrow(embedding=[1.0, 2.0, 3.0]), "'embedding' must hold lists of numbers. Received the type double"),
        (3, "Vectors come as a NumPy matrix.* Received int"),
    ],
)
def test_data_of_another_type_is_refused(data: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        EmbeddingTable.from_pretrained(data)


@pytest.mark.parametrize("trainable", [True, False])
def test_pretrained_table_is_saved_with_its_vectors_and_stays_frozen(trainable: bool, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(500, 8)).astype("float32")
    table = EmbeddingTable.from_pretrained(vectors, trainable=trainable)
    assert len(json.dumps(keras.saving.serialize_keras_object(table))) < 1_000
    model = keras.Sequential([keras.Input((), dtype="int64"), table, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.arange(1, 9), np.ones((8, 1)), verbose=0)
    assert np.array_equal(values(table), vectors) is not trainable
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(values(loaded.layers[0]), values(table))
    assert len(loaded.trainable_weights) == (3 if trainable else 2)
    assert loaded.layers[0].trainable is trainable


def test_frozen_comes_back_from_the_config_alone() -> None:
    table = EmbeddingTable.from_pretrained(VECTORS, trainable=False)
    again = EmbeddingTable.from_config(table.get_config())
    again.build()
    assert again.trainable_weights == []


@pytest.mark.parametrize("cardinality", [4, 6])
@pytest.mark.parametrize("names", [None, NAMES, [2**60, 17, 900]])
@pytest.mark.parametrize("way", ["parquet", "frame", "polars"])
def test_written_table_reads_back_the_same(way: str, names: list | None, cardinality: int, tmp_path: Path) -> None:
    table = EmbeddingTable(cardinality, 5)
    frame = table.to_frame(names)
    table.to_parquet(tmp_path / "table.parquet", names)
    data = {
        "frame": lambda: frame,
        "parquet": lambda: tmp_path / "table.parquet",
        "polars": lambda: pl.read_parquet(tmp_path / "table.parquet"),
    }[way]()
    again = EmbeddingTable.from_pretrained(data, ids=names)
    np.testing.assert_array_equal(values(again), values(table))


def test_frame_holds_each_id_and_its_vector() -> None:
    table = EmbeddingTable.from_pretrained(VECTORS)
    frame = table.to_frame()
    assert list(frame.columns) == ["id", "embedding"]
    assert frame["id"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(np.stack(frame["embedding"]), VECTORS)
    assert frame["embedding"][0].dtype == np.float32
    assert table.to_frame(NAMES)["id"].tolist() == NAMES


def test_frame_keeps_large_integers_and_leaves_unknown_rows_without_an_id() -> None:
    frame = EmbeddingTable.from_pretrained(VECTORS).to_frame([2**60 + 1, 5])
    assert frame["id"].isna().tolist() == [True, False, False]
    assert frame["id"][1:].tolist() == [2**60 + 1, 5]


def test_parquet_file_has_vectors_of_a_fixed_size_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.parquet"
    for _ in range(2):
        EmbeddingTable.from_pretrained(VECTORS).to_parquet(path)
    table = pq.read_table(path)
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 2)
    assert table["id"].to_pylist() == [0, 1, 2]
    assert os.listdir(path.parent) == ["table.parquet"]


def test_more_raw_values_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="The table has 3 rows. Received 4 ids"):
        EmbeddingTable.from_pretrained(VECTORS).to_frame([1, 2, 3, 4])


@pytest.mark.parametrize("table", [QuotientRemainderTable(70_000, 2), HashedTable(70_000, 2, 50)])
def test_composed_tables_are_written_row_by_row(table: Any) -> None:
    frame = table.to_frame()
    assert len(frame) == 70_000
    wanted = table(tf.constant([0, 3, 65_535, 65_536, 69_999]))
    np.testing.assert_array_equal(np.stack(frame["embedding"][[0, 3, 65_535, 65_536, 69_999]]), wanted)
