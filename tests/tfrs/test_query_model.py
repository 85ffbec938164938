import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Preprocessor, Schema, Tags, TwoTowerModel
from tfdual.tfrs import QueryModel

SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("words", [Tags.USER], dtype="string", is_list=True),
        ColumnSchema("item", [Tags.ITEM_ID]),
    ]
)


@pytest.fixture(scope="module")
def query_model() -> QueryModel:
    rows = tfdual.read({"user": ["ann", "bob"], "words": [["a", "b"], ["c"]], "item": [1, 2]}, SCHEMA)
    prep = Preprocessor(SCHEMA).adapt(rows)
    model = TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([4], activation=None)))
    return QueryModel(model.to_query_tower(prep))


def test_lists_may_be_ragged_or_padded(query_model: QueryModel) -> None:
    users, words = tf.constant(["ann", "bob"]), tf.ragged.constant([["b"], ["c", "a"]])
    ragged = query_model({"user": users, "words": words})
    assert ragged.dtype == tf.float32
    assert ragged.shape == (2, 4)
    np.testing.assert_allclose(query_model({"user": users, "words": words.to_tensor()}), ragged, atol=1e-6)
    assert not np.allclose(query_model({"user": users, "words": words[::-1]}), ragged)


def test_columns_of_no_use_are_left_aside_and_missing_ones_named(query_model: QueryModel) -> None:
    columns = {"user": tf.constant(["ann"]), "words": tf.constant([["b"]])}
    np.testing.assert_array_equal(query_model(columns | {"item": tf.constant([1])}), query_model(columns))
    with pytest.raises(ValueError, match=r"lack the columns \['words'\]"):
        query_model(tf.constant(["ann"]))


def test_what_is_no_served_tower_is_refused() -> None:
    with pytest.raises(TypeError, match="to_query_tower"):
        QueryModel(tf.Module())
