"""What a search of an index takes as `exclude` and `k`, against NumPy, and what it refuses."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.index.by_hand import neighbours
from tfdual.index import BruteForce, PolyIndex

RNG = np.random.default_rng(3)
ITEMS = RNG.normal(size=(12, 4)).astype(np.float32)
QUERIES = RNG.normal(size=(3, 4)).astype(np.float32)
NUMBERS = 100 + np.arange(12)
TEXTS = np.array([f"ö{i}" for i in range(12)], object)
ROWS = [[0, 7], [], [5, 1, 11]]  # positions; their lists differ in length


@pytest.fixture(scope="module", params=["int64", "string"])
def ids(request: pytest.FixtureRequest) -> np.ndarray:
    return NUMBERS if request.param == "int64" else TEXTS


def best(ids: np.ndarray, hidden: list[list[int]], k: int = 12) -> list[list[Any]]:
    """By NumPy: the ids of the best items that are not hidden, and empty places behind them."""
    mask = np.zeros((3, 12), bool)
    for row, positions in enumerate(hidden):
        mask[row, positions] = True
    positions, _ = neighbours(QUERIES, ITEMS, k, hidden=mask)
    return np.where(positions < 0, -1 if ids is NUMBERS else "", ids[positions]).tolist()


def shown(found: tf.Tensor) -> list[list[Any]]:
    rows = found.numpy().tolist()
    return [[item.decode() if isinstance(item, bytes) else item for item in row] for row in rows]


def given(ids: np.ndarray, how: str) -> Any:
    lists = [ids[row].tolist() for row in ROWS]
    kind, padding = (tf.int64, -1) if ids is NUMBERS else (tf.string, "")
    column = np.empty(3, object)
    column[:] = [ids[row] for row in ROWS]
    padded = [[*row, *[padding] * (3 - len(row))] for row in lists]
    return {
        "lists": lists,
        "tuple": tuple(map(tuple, lists)),
        "arrays": [ids[row] for row in ROWS],
        "column": column,
        "padded": padded,
        "array": np.array(padded),
        "ragged": tf.ragged.constant(lists, kind),
        "tensor": tf.constant(padded, kind),
    }[how]


@pytest.mark.parametrize("how", ["lists", "tuple", "arrays", "column", "padded", "array", "ragged", "tensor"])
def test_ids_to_exclude_come_as_lists_of_any_length_arrays_or_tensors(how: str, ids: np.ndarray) -> None:
    index = BruteForce().build(ITEMS, ids)
    assert shown(index.search(QUERIES, 12, exclude=given(ids, how)).ids) == best(ids, ROWS)


@pytest.mark.parametrize("nothing", [[[], [], []], np.zeros((3, 0)), tf.ragged.constant([[], [], []]), [[]]])
def test_empty_lists_exclude_nothing_whatever_their_type(nothing: Any, ids: np.ndarray) -> None:
    index = BruteForce().build(ITEMS, ids)
    assert shown(index.search(QUERIES, 5, exclude=nothing).ids) == best(ids, [], 5)


@pytest.mark.parametrize("upserted", [False, True])
def test_one_row_to_exclude_holds_for_all_queries(upserted: bool, ids: np.ndarray) -> None:
    index = BruteForce().build(ITEMS, ids)
    if upserted:
        index.upsert(ITEMS[:2], ids[:2])
    assert shown(index.search(QUERIES, 12, exclude=[ids[[2, 3]].tolist()]).ids) == best(ids, [[2, 3]] * 3)
    found = index.search_positions(QUERIES, 12, exclude=np.array([[2, 3]]))[0].numpy()
    assert ids[found[:, :10]].tolist() == [row[:10] for row in best(ids, [[2, 3]] * 3)]
    assert index.search(QUERIES[:0], 4, exclude=[ids[[2, 3]].tolist()]).ids.shape == (0, 4)


def test_an_index_of_matrices_takes_one_row_too() -> None:
    queries = np.stack([QUERIES, QUERIES[::-1]], axis=1)
    index = PolyIndex().build(ITEMS)
    expected = index.search(queries, 12, exclude=[[2, 3]] * 3)
    np.testing.assert_array_equal(index.search(queries, 12, exclude=[[2, 3]]).ids, expected.ids)
    assert not np.isin(expected.ids[:, :10], [2, 3]).any()


@pytest.mark.parametrize("count", [0, 2, 4])
def test_another_number_of_rows_to_exclude_is_refused(count: int, ids: np.ndarray) -> None:
    index = BruteForce().build(ITEMS, ids)
    message = f"one row for all queries, or one a query. Received {count} rows with 3 queries"
    with pytest.raises(ValueError, match=message):
        index.search(QUERIES, 3, exclude=[ids[:1].tolist()] * count)
    with pytest.raises(ValueError, match=message):
        index.search_positions(QUERIES, 3, exclude=np.zeros((count, 2), int))


@pytest.mark.parametrize(
    ("exclude", "error", "message"),
    [
        ([[1.7], [0.2], []], TypeError, "ids of this index are int64. Received 1.7"),
        (np.array([[1.7], [0.2], [1.0]]), TypeError, "ids of this index are int64. Received ids to exclude of float64"),
        (tf.constant([[1.0]]), TypeError, "int64. Received ids to exclude of float32"),
        (tf.ragged.constant([[1.0], [], []]), TypeError, "int64. Received ids to exclude of float32"),
        ([["b"]], TypeError, "int64. Received 'b'"),
        ([[True]], TypeError, "int64. Received True"),
        (np.array([[True]]), TypeError, "int64. Received ids to exclude of bool"),
        ([[None]], TypeError, "int64. Received None"),
        ([[2**64]], ValueError, f"Received {2**64}, which is over it"),
        ([1, 2, 3], ValueError, r"a list for each query. Received \[1, 2, 3\]"),
        (np.arange(3), ValueError, r"a list for each query. Received the shape \(3,\)"),
        ("b", ValueError, "a list for each query. Received"),
        (7, ValueError, "a list for each query. Received"),
    ],
)
def test_what_are_no_ids_of_the_index_is_refused(exclude: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        BruteForce().build(ITEMS, NUMBERS).search(QUERIES, 3, exclude=exclude)


def test_strings_are_wanted_where_the_ids_are_strings() -> None:
    index = BruteForce().build(ITEMS, TEXTS)
    for wrong in ([[1]], np.array([[1]]), [["a", 1]]):
        with pytest.raises(TypeError, match="ids of this index are string. Received"):
            index.search(QUERIES, 3, exclude=wrong)
    with pytest.raises(ValueError, match="a list for each query"):
        index.search(QUERIES, 3, exclude=["a", "b", "c"])


def test_positions_to_exclude_are_whole_numbers() -> None:
    index = BruteForce().build(ITEMS)
    with pytest.raises(TypeError, match="Positions to exclude are integers. Received float64"):
        index.search_positions(QUERIES, 3, exclude=np.full((3, 1), 1.7))
    with pytest.raises(ValueError, match=r"Positions to exclude are \(batch, n\)"):
        index.search_positions(QUERIES, 3, exclude=np.arange(3))


@pytest.mark.parametrize(
    "k", [np.int64(4), np.uint8(4), np.array(4), tf.constant(4), tf.constant(4, tf.int64), tf.Variable(4)]
)
def test_any_integer_is_a_k(k: Any) -> None:
    found = BruteForce().build(ITEMS, NUMBERS).search(QUERIES, k)
    assert found.ids.numpy().tolist() == best(NUMBERS, [], 4)


def test_the_largest_k_gives_all_items() -> None:
    found = BruteForce().build(ITEMS, NUMBERS).search(QUERIES, 2**31 - 1, exclude=[[100]])
    assert found.ids.numpy().tolist() == best(NUMBERS, [[0]] * 3)


@pytest.mark.parametrize("k", [2.9, 2.0, "2", None, True, [2], np.float32(2), np.bool_(True), tf.constant(2.0)])
def test_a_k_that_is_no_integer_is_refused(k: Any) -> None:
    with pytest.raises(TypeError, match="k is an integer. Received"):
        BruteForce().build(ITEMS).search(QUERIES, k)


@pytest.mark.parametrize("k", [2**31, 2**32 + 1, np.int64(2**32 + 1), tf.constant(2**32 + 1, tf.int64), 2**70])
def test_a_k_over_int32_is_refused(k: Any) -> None:
    with pytest.raises(ValueError, match=f"k is at most {2**31 - 1}. Received {int(k)}"):
        BruteForce().build(ITEMS).search(QUERIES, k)


def test_a_k_below_1_is_refused_whatever_its_type() -> None:
    for k in (np.int64(0), tf.constant(-(2**32) + 1, tf.int64)):
        with pytest.raises(ValueError, match=f"k is at least 1. Received {int(k)}"):
            BruteForce().build(ITEMS).search(QUERIES, k)


def test_a_graph_takes_one_row_and_checks_what_it_knows(ids: np.ndarray) -> None:
    index = BruteForce().build(ITEMS, ids)
    kind = "int64" if ids is NUMBERS else "string"
    specs = [tf.TensorSpec([None, 4]), tf.TensorSpec([], tf.int64), tf.TensorSpec([None, None], kind)]
    search = tf.function(lambda q, k, exclude: index.search(q, k, exclude).ids, input_signature=specs)
    assert shown(search(QUERIES, np.int64(12), given(ids, "tensor"))) == best(ids, ROWS)
    assert shown(search(QUERIES, np.int64(12), tf.constant([ids[[2, 3]].tolist()], kind))) == best(ids, [[2, 3]] * 3)
    for k in (0, 2**32 + 1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="k is at least 1, and within int32"):
            search(QUERIES, np.int64(k), given(ids, "tensor"))
    inside = tf.function(lambda q: index.search(q, 12, given(ids, "lists")).ids)
    assert shown(inside(QUERIES)) == best(ids, ROWS)
    with pytest.raises(ValueError, match="Received 2 rows with 3 queries"):
        tf.function(lambda q: index.search(q, 12, [ids[:1].tolist()] * 2).ids)(QUERIES)


def test_a_graph_refuses_a_k_that_can_be_none() -> None:
    index = BruteForce().build(ITEMS)
    for spec in (tf.TensorSpec([], tf.float32), tf.TensorSpec([2], tf.int32)):
        with pytest.raises(TypeError, match="k is an integer scalar. Received a tensor of"):
            tf.function(lambda k: index.search(QUERIES, k).ids).get_concrete_function(spec)


def test_rows_of_ids_may_be_tensors_of_a_graph() -> None:
    index = BruteForce().build(ITEMS, NUMBERS)
    search = tf.function(lambda a, b, c: index.search(QUERIES, 12, [a, b, c]).ids)
    rows = [tf.constant([100 + position], tf.int64) for position in (4, 5, 6)]
    assert shown(search(*rows)) == best(NUMBERS, [[4], [5], [6]])
    assert shown(index.search(QUERIES, 12, rows).ids) == best(NUMBERS, [[4], [5], [6]])


def test_lists_that_are_scored_may_differ_in_their_lengths() -> None:
    index = PolyIndex().build(ITEMS, TEXTS)
    queries = QUERIES[:, None]
    found = index.score_lists(queries, [TEXTS[row].tolist() for row in ROWS]).numpy()
    expected = np.full((3, 3), -np.inf, np.float32)
    for row, positions in enumerate(ROWS):
        expected[row, : len(positions)] = QUERIES[row] @ ITEMS[positions].T
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [BruteForce, PolyIndex])
def test_a_query_that_is_not_finite_is_refused_by_its_row(kind: type, wrong: float) -> None:
    queries = QUERIES.copy() if kind is BruteForce else np.stack([QUERIES, QUERIES], axis=1)
    queries[(1, *[0] * (queries.ndim - 1))] = wrong
    with pytest.raises(ValueError, match="Query 1 holds NaN or infinity"):
        kind().build(ITEMS).search(queries, 2)
    assert BruteForce().build(ITEMS).search(np.zeros((0, 4), np.float32), 2).ids.shape == (0, 2)
