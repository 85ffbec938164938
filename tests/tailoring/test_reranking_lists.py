import numpy as np
import pytest

from tests.tailoring.frozen import ASKED, IDS, RELEVANT, VECTORS, frozen
from tfdual import BruteForce
from tfdual.tailoring import FrozenItems, reranking_lists


def lists(relevant: list, **options: int) -> dict[bytes, tuple[list[int], list[float]]]:
    """By the query: positions and grades of its candidates."""
    found = {}
    dataset = reranking_lists(ASKED[: len(relevant)], relevant, frozen(), frozen().index(BruteForce()), **options)
    for columns, grades in dataset:
        for query, items, labels in zip(columns["query_vector"], columns["vector"], grades, strict=True):
            kept = labels.numpy() >= 0
            places = [int(np.argmax(VECTORS @ item)) for item in items.numpy()[kept]]
            found[query.numpy().tobytes()] = places, labels.numpy()[kept].tolist()
    return found


def test_hard_items_are_the_nearest_that_were_not_judged() -> None:
    found = lists(RELEVANT[:6], hard=5, batch=4)
    assert len(found) == 6
    for query, relevant in zip(ASKED, RELEVANT[:6], strict=False):
        places, grades = found[query.tobytes()]
        order = [place for place in np.argsort(-VECTORS @ query) if IDS[place] not in relevant]
        assert IDS[places[0]] == relevant[0]
        assert places[1:] == order[:5]
        assert grades == [1.0] + [0.0] * 5


def test_grades_are_those_given_and_shorter_lists_end_early() -> None:
    found = lists([{"d3": 2.0, "d4": 0.5, "d5": 0.0}, ["d9"]], hard=2)
    places, grades = found[ASKED[0].tobytes()]
    assert (places[:3], grades) == ([3, 4, 5], [2.0, 0.5, 0.0, 0.0, 0.0])
    places, grades = found[ASKED[1].tobytes()]
    assert (places[0], grades) == (9, [1.0, 0.0, 0.0])


def test_random_items_are_neither_judged_nor_hard() -> None:
    for places, _ in lists(RELEVANT[:20], hard=3, random=30).values():
        assert len(places) == 34
        assert len(set(places)) == 34


def test_random_items_are_as_many_as_wanted_where_there_are_so_many() -> None:
    for random, wanted in ((190, 194), (196, 200), (500, 200)):
        for places, grades in lists(RELEVANT[:3], hard=3, random=random).values():
            assert len(places) == len(set(places)) == len(grades) == wanted


def test_queries_without_judged_items_are_left_out() -> None:
    assert list(lists([[], ["d1"]], hard=1)) == [ASKED[1].tobytes()]


def test_bad_lists_are_refused() -> None:
    index = frozen().index(BruteForce())
    with pytest.raises(ValueError, match="1 lists, 2 queries"):
        reranking_lists(ASKED[:2], [["d1"]], frozen(), index)
    with pytest.raises(ValueError, match="judged item 'gone'"):
        reranking_lists(ASKED[:1], [["d1", "gone"]], frozen(), index)
    with pytest.raises(TypeError, match="ids of this index are string. Received int64 ids, such as 1"):
        reranking_lists(ASKED[:1], [[1]], frozen(), index)
    with pytest.raises(ValueError, match="Query 0 has -1"):
        reranking_lists(ASKED[:1], [{"d1": -1.0}], frozen(), index)
    with pytest.raises(ValueError, match="hard=0, random=0"):
        reranking_lists(ASKED[:1], [["d1"]], frozen(), index, hard=0)
    with pytest.raises(ValueError, match="200 items of the space frozen"):
        reranking_lists(ASKED[:1], [["d1"]], FrozenItems(IDS, VECTORS, "other"), index)


def test_an_index_that_was_changed_is_refused() -> None:
    """Also where as many items of the same ids are left."""
    gone, moved, swapped = (frozen().index(BruteForce()) for _ in range(3))
    gone.delete(IDS[:1])
    moved.upsert(-VECTORS[:1], IDS[:1])
    swapped.delete(IDS[:2])
    swapped.upsert(VECTORS[:2], ["new", "newer"])
    for index in (gone, moved, swapped):
        with pytest.raises(ValueError, match="was changed after it was built.* Make FrozenItems of what it holds now"):
            reranking_lists(ASKED[:1], [["d5"]], frozen(), index)
    back = frozen().index(BruteForce())
    back.upsert(VECTORS[:1], ["new"])
    back.delete(["new"])
    (columns, _), *_ = reranking_lists(ASKED[:1], [["d5"]], frozen(), back, hard=3)
    order = [place for place in np.argsort(-VECTORS @ ASKED[0]) if IDS[place] != "d5"][:3]
    np.testing.assert_array_equal(columns["vector"][0], VECTORS[[5, *order]])


def test_an_index_of_other_ids_or_of_another_order_is_refused() -> None:
    for ids in (IDS[::-1], np.arange(len(IDS))):
        index = FrozenItems(ids, VECTORS, "frozen").index(BruteForce())
        with pytest.raises(ValueError, match="other ids than the frozen ones, or in another order"):
            reranking_lists(ASKED[:1], [["d1"]], frozen(), index)
