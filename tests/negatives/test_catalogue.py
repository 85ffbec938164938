"""Catalogue: what it reads, what it gives by position and by id, and what it refuses."""

import numpy as np
import pytest
import tensorflow as tf

from tests.negatives.toy import corpus
from tfdual.negatives import Catalogue
from tfdual.negatives.stored_catalogue import StoredCatalogue


def batches() -> list[dict]:
    """Five items in two batches, with lists, lists of vectors, and a column of vectors."""
    return [
        {
            "item_id": tf.constant([30, 10, 20], tf.int32),
            "genres": tf.ragged.constant([[1, 2], [], [3]], dtype=tf.int64),
            "frames": tf.RaggedTensor.from_row_lengths(tf.reshape(tf.range(6.0), (3, 2)), [0, 2, 1]),
            "picture": np.arange(6).reshape(3, 2),
        },
        {
            "item_id": tf.constant([50, 40], tf.int32),
            "genres": tf.ragged.constant([[4, 5, 6], [7]], dtype=tf.int64),
            "frames": tf.RaggedTensor.from_row_lengths(tf.reshape(tf.range(6.0, 8.0), (1, 2)), [1, 0]),
            "picture": np.arange(6, 10).reshape(2, 2),
        },
    ]


def stored(items: list[dict]) -> StoredCatalogue:
    held = StoredCatalogue("Source")
    held.replace(Catalogue(items))
    return held


def test_rows_are_those_of_the_positions_in_the_order_of_all_batches() -> None:
    rows = stored(batches()).rows(tf.constant([4, 0, 1, 4]))
    assert rows["item_id"].numpy().tolist() == [40, 30, 10, 40]
    assert rows["genres"].to_list() == [[7], [1, 2], [], [7]]
    assert rows["frames"].to_list() == [[], [], [[0, 1], [2, 3]], []]
    assert rows["picture"].numpy().tolist() == [[8, 9], [0, 1], [2, 3], [8, 9]]
    assert {name: column.dtype.name for name, column in rows.items()} == {
        "frames": "float32",
        "genres": "int64",
        "item_id": "int32",
        "picture": "int64",
    }


def test_no_position_gives_no_rows_of_the_same_columns() -> None:
    rows = stored(batches()).rows(tf.zeros((0,), tf.int32))
    assert {name: column.shape[0] for name, column in rows.items()} == dict.fromkeys(rows, 0)


def test_positions_by_id_are_where_the_ids_stand() -> None:
    positions, found = stored(batches()).positions(tf.constant([10, 20, 30, 40, 50]))
    assert positions.numpy().tolist() == [1, 2, 0, 4, 3]
    assert found.numpy().all()


def test_unknown_ids_are_not_found() -> None:
    _, found = stored(batches()).positions(tf.constant([-1, 0, 15, 51, 2**40], tf.int64))
    assert not found.numpy().any()


def test_ids_above_what_float32_tells_apart_are_told_apart() -> None:
    held = stored([{"item_id": np.array([16777216, 16777217, 2**53 + 1])}])
    positions, found = held.positions(tf.constant([2**53 + 1, 16777217, 2**53], tf.int64))
    assert positions.numpy().tolist()[:2] == [2, 1]
    assert found.numpy().tolist() == [True, True, False]


def test_length_and_ids_are_those_of_the_items() -> None:
    catalogue = Catalogue(batches())
    assert len(catalogue) == 5
    assert catalogue.ids.tolist() == [30, 10, 20, 50, 40]
    assert len(Catalogue(corpus(7))) == 7


def test_a_traced_graph_reads_the_items_that_came_later() -> None:
    held = stored([{"item_id": np.array([1, 2, 3])}])
    graph = tf.function(lambda: (held.rows(tf.constant([0]))["item_id"][0], held.size))
    assert [int(found) for found in graph()] == [1, 3]
    held.replace(Catalogue([{"item_id": np.array([8, 9])}]))
    assert [int(found) for found in graph()] == [8, 2]


def test_items_of_other_columns_are_refused_where_items_are() -> None:
    held = stored([{"item_id": np.array([1, 2])}])
    with pytest.raises(ValueError, match="adapted again to items of the same columns.*dense:price"):
        held.replace(Catalogue([{"item_id": np.array([1, 2]), "price": np.ones(2)}]))


@pytest.mark.parametrize("items", [[], [{"item_id": np.zeros(0, int)}], tf.data.Dataset.range(0)])
def test_no_item_is_refused(items: list) -> None:
    with pytest.raises(ValueError, match="item corpus is empty"):
        Catalogue(items)


def test_repeated_ids_are_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"the column 'item_id' repeats \[3, 4\]. Leave one row of each"):
        Catalogue([{"item_id": np.array([3, 1, 4])}, {"item_id": np.array([4, 3, 3])}])
    with pytest.raises(
        ValueError, match=r"repeats \[0\]. .*0 is every item that the vocabulary doesn't know.*Vocabulary.of"
    ):
        Catalogue([{"item_id": np.array([0, 1, 0])}])


def test_items_without_the_id_column_are_refused() -> None:
    with pytest.raises(ValueError, match=r"lack their ids, the column 'sku'. They have \['item_id'\]"):
        Catalogue(corpus(3), item_id="sku")


@pytest.mark.parametrize(
    "ids", [np.array(3), np.zeros((2, 1), int), tf.ragged.constant([[1], [2]])], ids=["scalar", "matrix", "ragged"]
)
def test_ids_that_are_not_one_an_item_are_refused(ids: object) -> None:
    with pytest.raises(ValueError, match="one id an item"):
        Catalogue([{"item_id": ids}])


def test_ids_that_are_no_integers_are_refused() -> None:
    with pytest.raises(TypeError, match="must be integers. Received float64"):
        Catalogue([{"item_id": np.array([1.0, 2.0])}])


def test_what_is_no_dict_is_refused() -> None:
    with pytest.raises(TypeError, match="dicts of columns. Received EagerTensor"):
        Catalogue(tf.data.Dataset.range(3))


def test_strings_are_refused() -> None:
    with pytest.raises(ValueError, match="column 'title' of the items holds object. A catalogue keeps numbers alone"):
        Catalogue([{"item_id": np.array([1]), "title": tf.constant(["a"])}])


def test_lists_of_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="column 'words' holds lists of lists"):
        Catalogue([{"item_id": np.array([1]), "words": tf.ragged.constant([[[1], [2, 3]]])}])


@pytest.mark.parametrize(
    "columns",
    [
        {"item_id": np.array([2])},
        {"item_id": np.array([2]), "genres": np.zeros((1, 3), int)},
        {"item_id": np.array([2]), "genres": tf.ragged.constant([[1]], dtype=tf.int64)},
        {"item_id": np.array([2]), "genres": np.zeros((1, 2), np.int32)},
        {"item_id": np.array([2]), "genres": np.zeros((2, 2), int)},
    ],
    ids=["lacking", "wider", "ragged", "other type", "more rows"],
)
def test_batches_that_differ_are_refused(columns: dict) -> None:
    first = {"item_id": np.array([1]), "genres": np.zeros((1, 2), int)}
    with pytest.raises(ValueError, match=r"same columns|differs between batches|rows in a batch"):
        Catalogue([first, columns])
