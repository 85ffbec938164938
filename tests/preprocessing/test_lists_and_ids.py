"""Steps on ids and lists: hashes, parts of strings, slices, vectors."""

from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.preprocessing.fitting import fitted
from tfdual.preprocessing import (
    HashBuckets,
    L2Normalize,
    ListSlice,
    MultiHot,
    OneHot,
    Passthrough,
    Split,
    Transform,
    Vocabulary,
)
from tfdual.schema import ColumnSchema, Kind, Tags

WORD = ColumnSchema("x", [Tags.CATEGORICAL], dtype="string")
CODE = ColumnSchema("x", [Tags.CATEGORICAL])
NULLABLE = ColumnSchema("x", [Tags.CATEGORICAL], {"nullable": True})
CODES = ColumnSchema("x", is_list=True)
IDS = ColumnSchema("x", [Tags.CATEGORICAL], {"domain": {"name": "x", "min": 0, "max": 3}})
ID_LIST = ColumnSchema("x", properties={"domain": {"name": "x", "min": 0, "max": 3}}, is_list=True)
RAGGED = tf.ragged.constant([[1, 2, 3], [], [3]], dtype=tf.int64)


def test_hashes_spread_repeat_and_leave_0_to_the_missing() -> None:
    words = tf.constant([f"w{i}" for i in range(1000)] + ["w7", ""])
    ids = HashBuckets(50)(WORD, words).numpy()
    assert ids[1000] == ids[7]
    assert ids[1001] == 0
    assert set(ids[:1000]) == set(range(1, 51))
    assert np.bincount(ids).max() < 50
    assert (HashBuckets(50, salt=1)(WORD, words).numpy() != ids).any()


@pytest.mark.parametrize("column, values", [(WORD, ["a"]), (CODE, [1]), (NULLABLE, [1])])
def test_autograph_takes_the_hash(column: ColumnSchema, values: list, caplog: pytest.LogCaptureFixture) -> None:
    tf.get_logger().propagate = True
    dataset = tf.data.Dataset.from_tensors(tf.constant(values, column.dtype))
    list(dataset.map(lambda batch: HashBuckets(9)(column, batch)))
    assert "AutoGraph could not transform" not in caplog.text


def test_integers_hash_exactly_and_minus_one_is_missing_only_where_it_may_be() -> None:
    far = tf.constant([2**53, 2**53 + 1, -1, -5], tf.int64)
    ids = HashBuckets(10**6)(CODE, far).numpy()
    assert len(set(ids)) == 4
    assert ids.min() >= 1
    assert HashBuckets(10**6)(NULLABLE, far).numpy()[2] == 0
    assert HashBuckets(7)(CODES, RAGGED).row_lengths().numpy().tolist() == [3, 0, 1]
    assert HashBuckets(7).output(CODE).cardinality == 8


def test_unknown_values_share_the_buckets_by_a_hash_and_their_counts() -> None:
    rare = [f"rare{i}" for i in range(40)]
    vocabulary = fitted(Vocabulary(min_count=2, num_oov_indices=4), WORD, ["a", "a", "a", "b", "b", *rare])
    ids = vocabulary(WORD, tf.constant(["a", "b", *rare])).numpy()
    assert ids[:2].tolist() == [4, 5]
    assert set(ids[2:]) == {0, 1, 2, 3}
    counts = np.bincount(ids, weights=[3, 2, *[1] * 40])
    np.testing.assert_allclose(vocabulary.log_probability("x"), np.log(counts / 45), rtol=1e-6)
    assert vocabulary.output(WORD).cardinality == 6


def test_the_missing_are_never_learned() -> None:
    assert fitted(Vocabulary(), NULLABLE, pa.array([-1, None, 5])).values.tolist() == [5]
    assert fitted(Vocabulary(), CODE, [-1, 5]).values.tolist() == [-1, 5]
    assert fitted(Vocabulary(), WORD, ["", None, "a"]).values.tolist() == [b"a"]


@pytest.mark.parametrize("strange", ["a\nb", "a\\nb", "\r", "\r\n", "tab\tx", "back\\", " padded ", "é", "\x00", '"'])
def test_strings_of_any_characters_are_found(strange: str) -> None:
    words = ["a", "b", "a b", "ab", "\\", "n", strange]
    vocabulary = fitted(Vocabulary(), WORD, words)
    ids = vocabulary(WORD, tf.constant([strange, *words, "nb"])).numpy()
    assert vocabulary.values[ids[0] - 1].decode() == strange
    assert sorted(ids[1:-1]) == list(range(1, 8))
    assert ids[-1] == 0


def test_ids_are_those_of_keras_lookups() -> None:
    words = ["b", "a", "b", "c"]
    layer = keras.layers.StringLookup(num_oov_indices=2)
    layer.adapt(tf.constant(words))
    asked = tf.constant(["a", "b", "c", "q", "r", "s"])
    vocabulary = fitted(Vocabulary(num_oov_indices=2), WORD, words)
    keras_values = layer.get_vocabulary()[2:]
    assert sorted(vocabulary.values.astype(str)) == sorted(keras_values)
    np.testing.assert_array_equal(vocabulary(WORD, asked)[3:], layer(asked)[3:])
    assert vocabulary(WORD, asked).numpy()[1] == layer(asked).numpy()[1] == 2


def test_parts_of_a_string() -> None:
    parts = Split("|")(WORD, tf.constant(["Action|Comedy", "", " a | |b|", "x"]))
    assert parts.to_list() == [[b"Action", b"Comedy"], [], [b"a", b"b"], [b"x"]]
    assert Split(", ")(WORD, tf.constant(["a, b"])).to_list() == [[b"a", b"b"]]
    column = Split().output(WORD)
    assert (column.kind, column.is_ragged, column.dtype) == (Kind.ID_LIST, True, "string")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"max_length": 2}, [[1, 2], [], [3]]),
        ({"max_length": 2, "keep": "last"}, [[2, 3], [], [3]]),
        ({"max_length": 2, "pad": True}, [[1, 2], [0, 0], [3, 0]]),
        ({"max_length": 5, "keep": "last", "pad": True}, [[1, 2, 3, 0, 0], [0] * 5, [3, 0, 0, 0, 0]]),
    ],
)
def test_lists_are_cut_and_padded(arguments: dict[str, Any], expected: list) -> None:
    found = ListSlice(**arguments)(CODES, RAGGED)
    assert (found.to_list() if isinstance(found, tf.RaggedTensor) else found.numpy().tolist()) == expected
    column = ListSlice(**arguments).output(CODES)
    assert column.is_ragged == ("pad" not in arguments)
    assert column.width == (arguments["max_length"] if "pad" in arguments else None)


def test_hot_vectors_are_those_of_keras() -> None:
    one = OneHot()(IDS, tf.constant([2, 0, 3], tf.int64))
    np.testing.assert_array_equal(one, keras.layers.CategoryEncoding(4, "one_hot")(tf.constant([2, 0, 3])))
    many = MultiHot()(ID_LIST, tf.ragged.constant([[1, 1, 3], [2, 0, 2]], dtype=tf.int64))
    np.testing.assert_array_equal(many, keras.layers.CategoryEncoding(4, "multi_hot")([[1, 1, 3], [2, 0, 2]]))
    assert MultiHot()(ID_LIST, tf.ragged.constant([[], [2]], dtype=tf.int64)).numpy().tolist() == [
        [0] * 4,
        [0, 0, 1, 0],
    ]
    for column in (OneHot().output(IDS), MultiHot().output(ID_LIST)):
        assert (column.kind, column.width, column.dtype, column.cardinality) == (Kind.EMBEDDING, 4, "float32", None)


def test_vectors_get_length_1() -> None:
    column = ColumnSchema("x", dtype="float32", dims=(None, 2))
    values = np.array([[3, 4], [0, 0], [1e-20, 0], [1e30, 1e30]], np.float32)
    found = L2Normalize()(column, tf.constant(values)).numpy()
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [1, 0], [np.sqrt(0.5)] * 2], rtol=1e-6)


def test_ids_that_are_ready_stay_integers() -> None:
    column = ColumnSchema("x", [Tags.CATEGORICAL], {"domain": {"name": "x", "max": 9}}, dtype="int32")
    assert Passthrough()(column, tf.constant([3])).dtype == tf.int64
    assert Passthrough().output(column).cardinality == 10
    weights = ColumnSchema("w", ["weight"], dtype="float64", is_list=True)
    assert Passthrough()(weights, tf.ragged.constant([[0.5], []], dtype=tf.float64)).dtype == tf.float32


@pytest.mark.parametrize(
    ("transform", "column", "message"),
    [
        (HashBuckets(5), ColumnSchema("x", dtype="float32"), "HashBuckets takes strings or integers"),
        (Split(), CODE, "Split takes a single string a row"),
        (ListSlice(2), CODE, "ListSlice takes a ragged list"),
        (ListSlice(2, pad=True), ColumnSchema("x", dtype="string", is_list=True), "numbers where it pads"),
        (OneHot(), CODE, "OneHot takes ids 0 .. n - 1"),
        (OneHot(), ID_LIST, "OneHot takes a single id a row.*Use MultiHot"),
        (MultiHot(), IDS, "MultiHot takes a list of ids a row.*Use OneHot"),
        (L2Normalize(), CODES, "L2Normalize takes vectors of a fixed width"),
        (Passthrough(), WORD, "Passthrough takes numbers"),
    ],
)
def test_columns_of_other_kinds_are_refused(transform: Transform, column: ColumnSchema, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        transform.output(column)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HashBuckets(0), "at least 1 bucket. Received 0"),
        (lambda: Split(""), "at least one character"),
        (lambda: ListSlice(0), "at least 1 value. Received max_length=0"),
        (lambda: ListSlice(2, keep="middle"), "'first' or the 'last' values. Received keep='middle'"),
    ],
)
def test_arguments_are_checked(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
