"""Ids to positions outside a graph, beside a dict of them."""

import numpy as np
import pytest

from tfdual._sorted_ids import SortedIds


@pytest.mark.parametrize("kind", [np.int64, object, np.str_])
def test_positions_are_those_of_a_dict_of_the_ids(kind: type) -> None:
    numbers = np.random.default_rng(0).permutation(1_000)[:300]
    ids, asked = (
        np.array([kind(value) if kind is np.int64 else f"i{value}" for value in values], kind)
        for values in (numbers, np.arange(1_000).reshape(100, 10).ravel())
    )
    place = {value: position for position, value in enumerate(ids.tolist())}
    expected = [place.get(value, -1) for value in asked.tolist()]
    assert SortedIds(ids).positions(asked.reshape(100, 10)).ravel().tolist() == expected


def test_of_no_ids_none_is_found() -> None:
    assert SortedIds(np.zeros(0, np.int64)).positions(np.array([[3, 4]])).tolist() == [[-1, -1]]


def test_of_equal_ids_the_first_is_found() -> None:
    assert SortedIds(np.array([7, 5, 7])).positions(np.array([7, 5, 9])).tolist() == [0, 1, -1]
