"""Every transform gives the same in the pipeline, in a reloaded Keras model and in a served graph."""

import json
import math
import pickle
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.preprocessing.fitting import Served, Stream, in_fresh_process, plain
from tfdual import ColumnSchema, Preprocessor, Schema, Tags
from tfdual.preprocessing import (
    Buckets,
    Clip,
    FillMissing,
    HashBuckets,
    HashedText,
    L2Normalize,
    LearnedText,
    ListSlice,
    Log1p,
    MinMax,
    MultiHot,
    NGrams,
    OneHot,
    QuantileBuckets,
    Split,
    Standardize,
    Vocabulary,
    WordPiece,
)

NAN = math.nan
CATEGORY = [Tags.CATEGORICAL]
NULLABLE = {"nullable": True}
SCHEMA = Schema(
    [
        ColumnSchema("age", properties=NULLABLE, dtype="float64"),
        ColumnSchema("time", properties=NULLABLE, dtype="float64"),
        ColumnSchema("count"),
        ColumnSchema("price", properties=NULLABLE, dtype="float32"),
        ColumnSchema("score", dtype="int32"),
        ColumnSchema("filled", [Tags.USER], NULLABLE, dtype="float32"),
        ColumnSchema("member", dtype="bool"),
        ColumnSchema("shop", CATEGORY, NULLABLE, dtype="string"),
        ColumnSchema("item_id", [Tags.ITEM_ID]),
        ColumnSchema("code", CATEGORY, NULLABLE),
        ColumnSchema("stars", CATEGORY, NULLABLE),
        ColumnSchema("bounded", CATEGORY, NULLABLE, dtype="int32"),
        ColumnSchema("genres", CATEGORY, {"delimiter": "|"}, dtype="string"),
        ColumnSchema("hot_genres", CATEGORY, dtype="string"),
        ColumnSchema("day", CATEGORY, dtype="int32"),
        ColumnSchema("history", [Tags.USER], {"weights": "ratings"}, is_list=True),
        ColumnSchema("ratings", ["weight"], dtype="float32", is_list=True),
        ColumnSchema("recent", dtype="string", is_list=True),
        ColumnSchema("vector", dtype="float64", dims=(None, 2)),
        ColumnSchema("raw_vector", dtype="float64", dims=(None, 2)),
        ColumnSchema("title", [Tags.TEXT], dtype="string"),
        ColumnSchema("learned_title", [Tags.TEXT], dtype="string"),
        ColumnSchema("pieces", [Tags.TEXT], dtype="string"),
        ColumnSchema("learned_pieces", [Tags.TEXT], dtype="string"),
    ]
)
TITLES = ["The Cat", "cats play", None, "playing the cat"]
TABLE = pa.table(
    {
        "age": [18.0, None, 30.0, 42.0],
        "time": [1.7e9, 1.7e9 + 60, None, 1.7e9 + 120],
        "count": [3, 8, 200, 0],
        "price": pa.array([0.5, 1.0, None, 11.0], pa.float32()),
        "score": pa.array([1, 2, 3, 4], pa.int32()),
        "filled": pa.array([1.0, None, 4.0, 4.0], pa.float32()),
        "member": [True, False, True, False],
        "shop": ["b", "a", None, "b"],
        "item_id": [2**53 + 1, 2**53, 2**53 + 1, 7],
        "code": [5, -1, None, 2**53 + 1],
        "stars": [5, 1, None, 3],
        "bounded": pa.array([5, None, 1, 9], pa.int32()),
        "genres": ["Action|Comedy", "Comedy", "", " Drama ||Comedy"],
        "hot_genres": ["Action|Comedy", "Comedy", "", "Comedy|Comedy"],
        "day": pa.array([3, 1, 3, 2], pa.int32()),
        "history": [[1, 2, 3], [], [3], [3, 2]],
        "ratings": pa.array([[0.1, 0.2, 0.3], [], [0.5], [1.0, 2.0]], pa.list_(pa.float32())),
        "recent": [["x", "y", "z"], [], ["z"], ["y", "z"]],
        "vector": pa.array([[3.0, 4.0], [0.0, 0.0], None, [-2.0, 0.0]], pa.list_(pa.float64(), 2)).fill_null(
            [0.0, 0.0]
        ),
        "raw_vector": pa.array([[3.0, 4.0], [0.5, 0.0], [1.0, 1.0], [-2.0, 0.0]], pa.list_(pa.float64(), 2)),
        "title": TITLES,
        "learned_title": TITLES,
        "pieces": TITLES,
        "learned_pieces": TITLES,
    }
)
STEP = math.sqrt(1.5)  # 60 seconds in standard deviations of (0, 60, 120)
EXPECTED = {
    "age": [0, 0, 0.5, 1],
    "time": [-STEP, 0, 0, STEP],
    "time_missing": [0, 0, 1, 0],
    "count": [math.log(4), math.log(9), math.log(101), 0],
    "price": [1, 2, 0, 3],
    "score": [1, 2, 3, 4],
    "filled": [1, 3, 4, 4],
    "filled_missing": [0, 1, 0, 0],
    "member": [1, -1, 1, -1],
    "shop": [1, 2, 0, 1],
    "item_id": [1, 3, 1, 2],
    "item_id_log_probability": [math.log(0.5), math.log(0.25), math.log(0.5), math.log(0.25)],
    "stars": [2, 1, 0, 2],
    "bounded": [5, NAN, 2, 8],
    "genres": [[2, 1], [1], [], [3, 1]],
    "hot_genres": [[0, 1, 1], [0, 1, 0], [0, 0, 0], [0, 1, 0]],
    "day": [[0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
    "history": [[2, 1], [0, 0], [1, 0], [1, 2]],
    "ratings": [[0.2, 0.3], [0, 0], [0.5, 0], [1, 2]],
    "recent": [[3, 2], [], [1], [2, 1]],
    "vector": [[0.6, 0.8], [0, 0], [0, 0], [-1, 0]],
    "raw_vector": TABLE["raw_vector"].to_pylist(),
    "learned_title": [[4, 3], [1, 1], [], [1, 4, 3]],
    "pieces": [[2, 3], [3, 4, 5], [], [5, 6, 2, 3]],
}
LOADED_MODEL = """
import json, sys, pickle, tensorflow as tf, keras, tfdual
model = keras.saving.load_model(sys.argv[1])
ready = model(pickle.load(open(sys.argv[2], "rb")))
plain = lambda v: v.to_list() if isinstance(v, tf.RaggedTensor) else v.numpy().tolist()
json.dump({name: plain(v) for name, v in ready.items()}, open(sys.argv[3], "w"))
"""
BARE_TENSORFLOW = """
import json, sys, pickle, tensorflow as tf, tensorflow_text
ready = (model := tf.saved_model.load(sys.argv[1])).run(pickle.load(open(sys.argv[2], "rb")))
assert not any(name.startswith("tfdual") for name in sys.modules)
plain = lambda v: v.to_list() if isinstance(v, tf.RaggedTensor) else v.numpy().tolist()
json.dump({name: plain(v) for name, v in ready.items()}, open(sys.argv[3], "w"))
"""


@pytest.fixture(scope="module")
def prep(tmp_path_factory: pytest.TempPathFactory) -> Preprocessor:
    vocabulary = tmp_path_factory.mktemp("pieces") / "vocab.txt"
    vocabulary.write_text("[PAD]\n[UNK]\nthe\ncat\n##s\nplay\n##ing\n")
    transforms = {
        "age": MinMax(),
        "time": [FillMissing(None, indicator=True), Standardize()],
        "count": [Clip(0, 100), Log1p()],
        "price": Buckets([1.0, 10.0]),
        "score": QuantileBuckets(4),
        "filled": FillMissing("mean", indicator=True),
        "code": HashBuckets(50),
        "stars": Buckets([2.0]),
        "bounded": Clip(2, 8),
        "hot_genres": [Split("|"), Vocabulary(), MultiHot()],
        "day": [Vocabulary(), OneHot()],
        "history": [Vocabulary(), ListSlice(2, keep="last", pad=True)],
        "recent": [Vocabulary(), ListSlice(2)],
        "vector": L2Normalize(),
        "title": HashedText(1_000, NGrams(characters=(3, 3))),
        "learned_title": LearnedText(buckets=2, min_count=2),
        "pieces": WordPiece(str(vocabulary)),
        "learned_pieces": WordPiece(vocabulary_size=100),
    }
    prep = Preprocessor(SCHEMA, transforms).adapt(Stream(TABLE, SCHEMA))
    vocabulary.unlink()
    return prep


@pytest.fixture(scope="module")
def raw() -> dict[str, Any]:
    return Stream(TABLE, SCHEMA).raw()


@pytest.fixture(scope="module")
def piped(prep: Preprocessor, raw: dict[str, Any]) -> dict[str, list]:
    (batch,) = tf.data.Dataset.from_tensors(raw).map(prep)
    return {name: plain(values) for name, values in batch.items()}


def assert_same(found: dict[str, list], wanted: dict[str, list]) -> None:
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_pipeline_gives_what_was_worked_out_by_hand(name: str, piped: dict[str, list]) -> None:
    if isinstance(EXPECTED[name][0], list):
        lengths = [len(row) for row in EXPECTED[name]]
        assert [len(row) for row in piped[name]] == lengths
        found, wanted = (np.concatenate(rows) for rows in (piped[name], EXPECTED[name]))
    else:
        found, wanted = piped[name], EXPECTED[name]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)


def test_hashed_ids_are_in_range_and_zero_where_missing(piped: dict[str, list]) -> None:
    first, given_as_missing, missing, last = piped["code"]
    assert given_as_missing == missing == 0
    assert first != last
    assert {first, last} <= set(range(1, 51))
    assert [len(row) for row in piped["title"]] == [2 + 3 + 3, 2 + 4 + 4, 0, 3 + 7 + 3 + 3]


def test_learned_pieces_compose_every_word(piped: dict[str, list]) -> None:
    assert piped["learned_pieces"][2] == []
    assert 1 not in np.concatenate(piped["learned_pieces"])


def test_types_and_schema_agree(prep: Preprocessor, raw: dict[str, Any]) -> None:
    ready = prep(raw)
    assert list(ready) == [*SCHEMA.column_names, *(name for name in ready if name not in SCHEMA)]
    assert set(ready) == set(prep.schema.column_names)
    for column in prep.schema:
        values = ready[column.name]
        assert values.dtype == column.dtype, column.name
        assert isinstance(values, tf.RaggedTensor) == column.is_ragged, column.name
        assert values.shape[1:] == ([] if not column.is_list else [column.width]), column.name
        if column.cardinality:
            assert int(tf.reduce_max(values)) < column.cardinality


def test_eager_calls_agree(prep: Preprocessor, raw: dict[str, Any], piped: dict[str, list]) -> None:
    assert_same({name: plain(values) for name, values in prep(raw).items()}, piped)


def test_a_saved_and_loaded_preprocessor_agrees(
    prep: Preprocessor, raw: dict[str, Any], piped: dict[str, list], tmp_path: Path
) -> None:
    prep.save(tmp_path / "prep")
    loaded = Preprocessor.load(tmp_path / "prep")
    assert loaded.schema == prep.schema
    assert_same({name: plain(values) for name, values in loaded(raw).items()}, piped)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prep"]


def test_a_keras_model_agrees_in_a_fresh_process(
    prep: Preprocessor, raw: dict[str, Any], piped: dict[str, list], tmp_path: Path
) -> None:
    model = keras.Sequential([prep])
    in_keras = without_autocast(raw)
    model(in_keras)
    model.save(tmp_path / "model.keras")
    (tmp_path / "raw").write_bytes(pickle.dumps(in_keras))
    in_fresh_process(LOADED_MODEL, tmp_path / "model.keras", tmp_path / "raw", tmp_path / "ready")
    assert_same(
        json.loads((tmp_path / "ready").read_text()), {n: v for n, v in piped.items() if n.split("_")[0] != "time"}
    )


def without_autocast(raw: dict[str, Any]) -> dict[str, Any]:
    """A Keras model casts its float64 inputs to float32, which can't tell two timestamps of a minute apart."""
    return {name: values for name, values in raw.items() if name != "time"}


def test_a_served_graph_agrees_in_a_process_without_tfdual_and_in_another_folder(
    prep: Preprocessor, raw: dict[str, Any], piped: dict[str, list], tmp_path: Path
) -> None:
    tf.saved_model.save(Served(prep, raw), str(tmp_path / "written"), signatures={})
    (tmp_path / "written").rename(tmp_path / "moved")
    (tmp_path / "raw").write_bytes(pickle.dumps(raw))
    in_fresh_process(BARE_TENSORFLOW, tmp_path / "moved", tmp_path / "raw", tmp_path / "ready")
    assert_same(json.loads((tmp_path / "ready").read_text()), piped)
