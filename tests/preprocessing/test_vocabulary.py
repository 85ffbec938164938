"""Values to ids, most frequent first, and the log-probability of each."""

import math

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tfdual.preprocessing import Preprocessor, Vocabulary
from tfdual.preprocessing.value_counts import ValueCounts
from tfdual.schema import ColumnSchema, Schema, Tags

WORD = ColumnSchema("word", [Tags.CATEGORICAL], dtype="string")
NUMBER = ColumnSchema("number", [Tags.CATEGORICAL])
HISTORY = ColumnSchema("history", properties={"domain": {"name": "number"}}, is_list=True)


def fitted(column: ColumnSchema, *batches: np.ndarray | pa.Array | list, **arguments: int) -> Vocabulary:
    vocabulary = Vocabulary(**arguments)
    for batch in batches:
        vocabulary.update(column, batch if isinstance(batch, pa.Array) else pa.array(batch))
    vocabulary.finish()
    return vocabulary


def words(*values: str) -> pa.Array:
    return pa.array(values, pa.string())


def test_values_rank_by_count_and_then_by_value_over_all_batches() -> None:
    vocabulary = fitted(WORD, words("b", "a", "c"), words("c", "d", "c"), words("d", "é"))
    assert vocabulary.values.tolist() == [b"c", b"d", b"a", b"b", "é".encode()]
    assert vocabulary(WORD, tf.constant(["é", "c", "zzz", "", "b"])).numpy().tolist() == [5, 1, 0, 0, 4]


def test_integers_rank_as_numbers_and_stay_exact() -> None:
    large = 2**53
    vocabulary = fitted(NUMBER, np.array([10, 9, large + 1, -3, large]))
    assert vocabulary.values.tolist() == [-3, 9, 10, large, large + 1]
    ids = vocabulary(NUMBER, tf.constant([large + 1, large, large + 2, 0], tf.int64))
    assert ids.numpy().tolist() == [5, 4, 0, 0]
    assert ids.dtype == tf.int64


@pytest.mark.parametrize(
    "arguments, values",
    [
        ({}, [7, 8, 1, 2]),
        ({"min_count": 2}, [7, 8]),
        ({"max_size": 3}, [7, 8, 1]),
        ({"min_count": 3, "max_size": 3}, [7]),
        ({"min_count": 99}, []),
    ],
)
def test_rare_values_are_unknown(arguments: dict[str, int], values: list[int]) -> None:
    vocabulary = fitted(NUMBER, np.array([7, 8, 7, 2, 7, 8, 1]), **arguments)
    assert vocabulary.values.tolist() == values
    assert vocabulary.size == len(values) + 1
    kept = {value: i for i, value in enumerate(values, start=1)}
    assert vocabulary(NUMBER, tf.constant([1, 2, 7, 8, 0], tf.int64)).numpy().tolist() == [
        kept.get(value, 0) for value in (1, 2, 7, 8, 0)
    ]


def test_ragged_ids_stay_in_their_rows_and_padded_ones_in_their_places() -> None:
    vocabulary = fitted(HISTORY, [[5, 5], [6]])
    ragged = vocabulary(HISTORY, tf.ragged.constant([[6, 5], [], [9]], dtype=tf.int64))
    assert ragged.to_list() == [[2, 1], [], [0]]
    assert vocabulary(NUMBER, tf.constant([[6, 5], [9, 5]], tf.int64)).numpy().tolist() == [[2, 1], [0, 1]]


def test_columns_of_one_domain_share_ids_and_keep_their_own_probabilities() -> None:
    vocabulary = Vocabulary()
    vocabulary.update(NUMBER, pa.array([1, 1, 1, 2]))
    vocabulary.update(HISTORY, pa.array([[2, 2, 2, 3, 3, 3, 3, 3], []]))
    vocabulary.finish()
    assert vocabulary.values.tolist() == [3, 2, 1]
    seen_once = math.log(1 / 4)
    np.testing.assert_allclose(
        vocabulary.log_probability("number"), [seen_once, seen_once, math.log(1 / 4), math.log(3 / 4)], rtol=1e-6
    )
    np.testing.assert_allclose(vocabulary.log_probability("history"), np.log([1 / 8, 5 / 8, 3 / 8, 1 / 8]), rtol=1e-6)


def test_the_unknown_id_has_the_probability_of_all_dropped_values() -> None:
    vocabulary = fitted(NUMBER, np.array([1, 1, 1, 1, 1, 2, 3, 4]), min_count=2)
    np.testing.assert_allclose(vocabulary.log_probability("number"), np.log([3 / 8, 5 / 8]), rtol=1e-6)


def test_rare_items_of_a_large_catalogue_do_not_look_alike() -> None:
    vocabulary = fitted(NUMBER, np.array([1, 2, 3]))
    vocabulary._counts["number"] = ValueCounts(pa.table({"value": [1, 2, 3], "count": [10**9, 30, 1]}))
    expected = [math.log(count / (10**9 + 31)) for count in (1, 10**9, 30, 1)]
    assert expected[2] < math.log(1e-6)
    np.testing.assert_allclose(vocabulary.log_probability("number"), expected, rtol=1e-6, atol=1e-6)


def test_the_model_ready_column_counts_its_ids_and_keeps_its_meaning() -> None:
    vocabulary = fitted(HISTORY, [[5, 5], [6]])
    column = vocabulary.output(HISTORY.with_tags(Tags.USER))
    assert (column.cardinality, column.domain_name, column.dtype, column.is_ragged) == (3, "number", "int64", True)
    assert column.tags == {"user"}


def test_bools_are_categories_too() -> None:
    vocabulary = fitted(ColumnSchema("b", [Tags.CATEGORICAL], dtype="bool"), np.array([False, False, True]))
    assert vocabulary(NUMBER, tf.constant([True, False])).numpy().tolist() == [2, 1]


def test_floats_are_no_ids() -> None:
    with pytest.raises(TypeError, match="Vocabulary takes strings or integers. Column 'f' is categorical, float32"):
        Vocabulary().output(ColumnSchema("f", [Tags.CATEGORICAL], dtype="float32"))


@pytest.mark.parametrize("arguments", [{"min_count": 0}, {"max_size": 0}, {"max_size": -1}, {"num_oov_indices": 0}])
def test_a_bound_below_one_is_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="min_count, max_size and num_oov_indices are at least 1. Received"):
        Vocabulary(**arguments)


def test_values_that_are_known_before_have_the_first_ids_and_count_nothing() -> None:
    vocabulary = Vocabulary.of(np.array(["z", "b", "a"]), num_oov_indices=2)
    item = ColumnSchema("item", [Tags.ITEM_ID], dtype="string")
    assert vocabulary(item, tf.constant(["a", "z"])).numpy().tolist() == [4, 2]
    vocabulary.update(item, words("a", "new", "a", "a"))
    vocabulary.finish()
    assert vocabulary.values.tolist() == [b"z", b"b", b"a", b"new"]
    expected = [math.log(count / 4) for count in (1, 1, 1, 1, 3, 1)]  # what was never seen counts as once
    np.testing.assert_allclose(vocabulary.log_probability("item"), expected, rtol=1e-6)


def test_known_integers_stay_exact_and_are_restored() -> None:
    known = Vocabulary.of([2**53 + 1, 5])
    restored = Vocabulary()
    restored.restore(known.state())
    assert restored(NUMBER, tf.constant([5, 2**53, 2**53 + 1])).numpy().tolist() == [2, 0, 1]


@pytest.mark.parametrize("values", [["a", "a"], ["a", ""], ["a", None], [3, 3]])
def test_known_values_that_repeat_or_lack_are_refused(values: list) -> None:
    with pytest.raises(ValueError, match="all differ, and none is missing"):
        Vocabulary.of(values)


def test_known_values_of_another_type_are_refused() -> None:
    with pytest.raises(TypeError, match="integers or strings. Received double"):
        Vocabulary.of([1.5])
    with pytest.raises(TypeError, match="'word' is string, and the vocabulary holds int64, such as 3"):
        Vocabulary.of([3]).update(WORD, words("a"))


@pytest.mark.parametrize("rows", [2, 70_000], ids=["one batch", "two"])
def test_a_column_without_any_value_has_the_unknown_id_alone(rows: int) -> None:
    schema = Schema([ColumnSchema("mood", [Tags.CATEGORICAL], {"nullable": True}, dtype="string")])
    empty = tfdual.read(pa.table({"mood": pa.nulls(rows, pa.string())}), schema)
    prep = Preprocessor(schema).adapt(empty).adapt(empty)
    assert prep.vocabulary("mood") == []
    assert prep({"mood": tf.constant(["", "glad"])})["mood"].numpy().tolist() == [0, 0]
