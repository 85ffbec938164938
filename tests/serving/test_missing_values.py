"""What queries and items lack, all the way: in Python, in the artefact's signature, and as a serialised example."""

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tfdual
from tfdual import ColumnSchema, Schema, Tags

NULLABLE = {"nullable": True}
FLOORS, STOCKED = [0, None, 5, 2, None, 9], [True, False, True, False, True, False]
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("taste", [Tags.USER, Tags.EMBEDDING], NULLABLE, dtype="float32", dims=(None, 3)),
        ColumnSchema("age", [Tags.USER], NULLABLE, dtype="float32"),
        ColumnSchema("item_id", [Tags.ITEM_ID]),
        ColumnSchema("floor", [Tags.ITEM, Tags.CATEGORICAL], NULLABLE),
        ColumnSchema("stocked", [Tags.ITEM], dtype="bool"),
        ColumnSchema("genres", [Tags.ITEM, Tags.CATEGORICAL], NULLABLE, dtype="string", is_list=True),
    ]
)


@pytest.fixture(scope="module")
def retriever() -> tfdual.Retriever:
    table = pa.table(
        {
            "user_id": [f"u{i}" for i in range(6)],
            "taste": pa.array([[0.5, 1.0, 2.0], None] * 3, pa.list_(pa.float32(), 3)),
            "age": pa.array([20.0, None, 40.0] * 2, pa.float32()),
            "item_id": list(range(6)),
            "floor": FLOORS,
            "stocked": STOCKED,
            "genres": pa.array([["crime"], None, [], ["crime", "drama"], ["drama"], None], pa.list_(pa.string())),
        }
    )
    rows = tfdual.read(table, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA).adapt(rows)
    keras.utils.set_random_seed(0)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, query_tower=tfdual.MLPBlock([4]), post="l2-norm"))
    items = rows.select(SCHEMA.select_by_tag(Tags.ITEM))
    return model.to_retriever(items, preprocessor=prep, filters=["floor", "stocked", "genres"])


def test_a_missing_vector_is_zeros_wherever_it_is_left_out(retriever: tfdual.Retriever, tmp_path: Path) -> None:
    wanted = retriever.embed_query({"user_id": ["u1"], "taste": [[0.0, 0.0, 0.0]], "age": [np.nan]})
    assert np.abs(wanted).max() > 0.1
    for missing in ({}, {"taste": [None], "age": [None]}, {"taste": [None]}):
        np.testing.assert_allclose(retriever.embed_query({"user_id": ["u1"], **missing}), wanted, rtol=1e-6)
    path = Path(retriever.export(tmp_path / "model"))
    served = tf.saved_model.load(str(path))
    scores = retriever.search({"user_id": ["u1"]}, k=3)["score"]
    meta_graph = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0]
    left_out = meta_graph.signature_def["serving_default"].defaults
    stored = {name: tf.constant(tf.make_ndarray(left_out[name])) for name in left_out}
    assert stored["taste"].numpy().tolist() == [[0.0, 0.0, 0.0]]
    given = stored | {"user_id": tf.constant(["u1"]), "k": tf.constant([3])}
    np.testing.assert_allclose(served.signatures["serving_default"](**given)["score"], scores, rtol=1e-6)
    example = tf.train.Example()
    example.features.feature["user_id"].bytes_list.value.append(b"u1")
    example.features.feature["k"].int64_list.value.append(3)
    found = served.signatures["serving_examples"](examples=tf.constant([example.SerializeToString()]))
    np.testing.assert_allclose(found["score"], scores, rtol=1e-6)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("floor < 3", {0, 3}),
        ("floor != 5", {0, 1, 3, 4, 5}),
        ("stocked", {0, 2, 4}),
        ("stocked == False", {1, 3, 5}),
        ("stocked and floor >= 0", {0, 2}),
    ],
)
def test_filters_find_what_is_known(retriever: tfdual.Retriever, expression: str, expected: set[int]) -> None:
    found = retriever.search({"user_id": ["u2"]}, k=6, filter=expression)["id"][0]
    assert set(found.tolist()) - {-1} == expected


def test_a_new_item_may_lack_values(retriever: tfdual.Retriever) -> None:
    retriever.upsert({"item_id": [6, 7], "floor": [None, 2], "stocked": [True, False]})
    found = retriever.search({"user_id": ["u2"]}, k=8, filter="floor < 3")["id"][0]
    assert set(found.tolist()) - {-1} == {0, 3, 7}
    retriever.delete([6, 7])


def test_what_is_wrong_with_new_items_is_not_said_of_queries(retriever: tfdual.Retriever) -> None:
    item = {"item_id": [6], "floor": [1], "stocked": [True]}
    for wrong in (item | {"tags": ["x"]}, {"floor": [1]}, item | {"floor": ["x"]}, item | {"item_id": [6, 7]}):
        with pytest.raises(ValueError, match="takes|lacks|same number of rows") as refused:
            retriever.upsert(wrong)
        assert "query" not in str(refused.value).lower()
        assert "queries" not in str(refused.value)


def test_new_items_may_lack_whole_columns(retriever: tfdual.Retriever) -> None:
    left_out, given = ({"item_id": [8, 9, 10], "stocked": [True] * 3} | more for more in ({}, {"genres": [None] * 3}))
    np.testing.assert_allclose(retriever.embed_item(left_out), retriever.embed_item(given))
    for items in (left_out, given):
        retriever.upsert(items)
        for expression, expected in {
            "'crime' in genres": {0, 3},
            "stocked": {0, 2, 4, 8, 9, 10},
            "floor > 2": {2, 5},
        }.items():
            found = retriever.search({"user_id": ["u2"]}, k=9, filter=expression)["id"][0]
            assert set(found.tolist()) - {-1} == expected
    retriever.delete([8, 9, 10])
