"""Fused lists against loops over dicts, and what is refused."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tfdual.ranking import reciprocal_rank_fusion, weighted_fusion

Lists = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(params=["int64", "string"])
def lists(request: pytest.FixtureRequest) -> Lists:
    """Three lists of seven queries, of different depths, some of them short or empty."""
    rng = np.random.default_rng(3)
    made = []
    for depth in (6, 9, 1):
        ids = np.stack([rng.choice(12, depth, replace=False) for _ in range(7)]) + 2**60
        scores = -np.sort(-rng.normal(size=(7, depth)), axis=1)
        lengths = rng.integers(0, depth + 1, 7)
        lengths[0] = depth
        gone = np.arange(depth) >= lengths[:, None]
        scores[gone] = -np.inf
        ids = np.where(gone, -1, ids)
        if request.param == "string":
            ids = np.where(gone, "", ids.astype(str))
        made.append((ids, scores))
    return made


def by_query(lists: Lists, row: int) -> list[dict]:
    """Of each list item -> (rank, score)."""
    return [
        {
            item: (rank, score)
            for rank, (item, score) in enumerate(zip(ids[row].tolist(), scores[row].tolist(), strict=True), 1)
            if score > -math.inf
        }
        for ids, scores in lists
    ]


def check(found: Any, row: int, expected: dict, parts: list[dict]) -> None:
    """The expected scores, falling; equal ones in the order of the first list that holds them."""

    def key(item: Any) -> tuple:
        ranks = [(number, part[item][0]) for number, part in enumerate(parts) if item in part]
        return (-round(expected[item], 9), ranks[0])

    order = sorted(expected, key=key)
    pad = "" if found.ids.dtype.kind == "U" else -1
    width = found.ids.shape[1]
    assert found.ids[row].tolist() == (order + [pad] * width)[:width]
    scores = [expected[item] for item in order] + [-math.inf] * width
    np.testing.assert_allclose(found.scores[row], scores[:width], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("k", "weights"), [(60, None), (0, [1.0, 0.25, 2.0]), (2.5, [0.0, 1.0, 0.0])])
@pytest.mark.parametrize("depth", [None, 4])
def test_ranks_are_fused_as_a_loop_does(lists: Lists, k: float, weights: list | None, depth: int | None) -> None:
    found = reciprocal_rank_fusion([ids for ids, _ in lists], k, weights, depth)
    for row in range(7):
        parts = by_query(lists, row)
        expected: dict = {}
        for weight, part in zip(weights or [1.0] * 3, parts, strict=True):
            for item, (rank, _) in part.items():
                expected[item] = expected.get(item, 0.0) + weight / (k + rank)
        check(found, row, expected, parts)


def made_comparable(part: dict, normalise: str | None, minimum: float | None, depth: int) -> tuple[dict, float]:
    """Item -> value, and the value of a missing one."""
    scores = [score for _, score in part.values()]
    low = minimum if minimum is not None else min(scores, default=0.0)
    high = max(scores, default=low)
    absent = min(scores) if len(scores) == depth else low
    if normalise is None:
        return {item: score for item, (_, score) in part.items()}, absent
    if normalise == "min-max":
        if high == low:
            return dict.fromkeys(part, 1.0 if minimum is None else 0.0), 0.0
        return {item: (score - low) / (high - low) for item, (_, score) in part.items()}, (absent - low) / (high - low)
    if high == low:
        return dict.fromkeys(part, 0.0), 0.0
    mean = sum(scores) / len(scores)
    spread = math.sqrt(sum((score - mean) ** 2 for score in scores) / len(scores))
    return {item: (score - mean) / spread for item, (_, score) in part.items()}, (low - mean) / spread


@pytest.mark.parametrize(
    ("normalise", "minimums"),
    [("min-max", None), ("z-score", None), (None, None), ("min-max", [-9.0, None, -5.0]), (None, [None, -4.0, -5.0])],
)
@pytest.mark.parametrize("weights", [None, [0.3, 0.6, 0.1], [1.0, 0.0, 0.0]])
def test_scores_are_fused_as_a_loop_does(
    lists: Lists, normalise: str | None, minimums: list | None, weights: list | None
) -> None:
    found = weighted_fusion(lists, weights, normalise, minimums)
    for row in range(7):
        parts = by_query(lists, row)
        expected = {item: 0.0 for part in parts for item in part}
        for number, (weight, part) in enumerate(zip(weights or [1.0] * 3, parts, strict=True)):
            minimum = minimums[number] if minimums else None
            values, missing = made_comparable(part, normalise, minimum, lists[number][0].shape[1])
            for item in expected:
                expected[item] += weight * values.get(item, missing)
        check(found, row, expected, parts)


def test_a_convex_combination_of_one_weight_is_that_list() -> None:
    lists = [([[5, 3, 9]], [[0.9, 0.5, 0.1]]), ([[9, 1]], [[30.0, 2.0]])]
    assert weighted_fusion(lists, [1.0, 0.0], depth=3).ids.tolist() == [[5, 3, 9]]
    assert weighted_fusion(lists, [0.0, 1.0], depth=1).ids.tolist() == [[9]]


def test_equal_scores_follow_the_first_list_whatever_the_ids() -> None:
    first, second = [["z", "a", "m"]], [["a", "z", "b"]]
    assert reciprocal_rank_fusion([first, second]).ids.tolist() == [["z", "a", "m", "b"]]
    assert reciprocal_rank_fusion([second, first]).ids.tolist() == [["a", "z", "b", "m"]]


def test_the_published_constant_is_the_default() -> None:
    found = reciprocal_rank_fusion([[["a"]], [["b", "a"]]])
    np.testing.assert_allclose(found.scores, [[1 / 61 + 1 / 62, 1 / 61]], rtol=1e-6)


def test_bytes_and_str_are_one_type() -> None:
    first = np.array([[b"\xc3\xa4", b"b"]], object)
    assert reciprocal_rank_fusion([first, [["b", "ä"]], np.array([[b"b"]])]).ids.tolist() == [["b", "ä"]]


def test_unsigned_ids_within_int64_are_ids() -> None:
    found = reciprocal_rank_fusion([np.array([[2**63 - 1, 7]], np.uint64)]).ids
    assert (found.dtype, found.tolist()) == (np.int64, [[2**63 - 1, 7]])


def test_queries_without_anything_have_empty_places() -> None:
    found = reciprocal_rank_fusion([[[1, 2], [-1, -1]], [[-1], [-1]]])
    assert found.ids.tolist() == [[1, 2], [-1, -1]]
    assert found.scores[1].tolist() == [-math.inf] * 2
    assert reciprocal_rank_fusion([np.zeros((0, 3), int), np.zeros((0, 2), int)]).ids.shape == (0, 0)
    assert reciprocal_rank_fusion([np.zeros((0, 3), int), np.zeros((0, 2), int)], depth=4).ids.shape == (0, 4)
    assert weighted_fusion([(np.zeros((2, 0)), np.zeros((2, 0)))]).ids.shape == (2, 0)
    empty = (np.full((1, 2), -1), np.full((1, 2), -np.inf))
    assert weighted_fusion([empty, ([[4]], [[1.0]])], normalise="z-score").ids.tolist() == [[4]]


@pytest.mark.parametrize(
    ("rankings", "error", "message"),
    [
        ([], ValueError, "shapes \\[\\]"),
        ([[1, 2]], ValueError, "shapes"),
        ([[[1]], [[1], [2]]], ValueError, "of the same queries"),
        ([[[1]], [["a"]]], TypeError, "in one type"),
        ([[[1, 2]], [[3, 3]]], ValueError, "List 1 of query 0 holds 3 twice"),
        ([[[1.5]]], TypeError, "int64 or strings"),
        ([np.array([[2**63 + 5]], np.uint64)], ValueError, "Received 9223372036854775813, which is over int64"),
        ([np.array([[None]], object)], TypeError, "Received None"),
    ],
)
def test_bad_lists_are_refused(rankings: Sequence, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        reciprocal_rank_fusion(rankings)


@pytest.mark.parametrize(
    "arguments",
    [{"k": -1}, {"k": math.nan}, {"weights": [1.0]}, {"weights": [1, -1]}, {"weights": [0, 0]}, {"depth": 0}],
)
def test_bad_settings_of_ranks_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="Received"):
        reciprocal_rank_fusion([[[1]], [[2]]], **arguments)


@pytest.mark.parametrize(
    ("scores", "arguments", "message"),
    [
        ([[1.0, 0.5]], {"normalise": "softmax"}, "Received normalise='softmax'"),
        ([[1.0, 0.5]], {"minimums": [0.0, 0.0]}, "of 1 lists"),
        ([[1.0, 0.5]], {"minimums": [0.0], "normalise": "z-score"}, "none for the z-score"),
        ([[1.0, 0.5]], {"minimums": [0.7]}, "a score of it 0.5"),
        ([[1.0]], {}, r"a score for each id, \(1, 2\)"),
        ([[1.0, math.nan]], {}, "NaN or infinite"),
        ([[math.inf, 0.0]], {}, "NaN or infinite"),
        ([[1.0, 0.5]], {"weights": [math.inf]}, "a weight of at least 0"),
    ],
)
def test_bad_scores_and_settings_are_refused(scores: list, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weighted_fusion([([[7, 8]], scores)], **arguments)


def test_a_missing_item_is_just_below_a_full_list_and_nothing_beside_one_that_ends() -> None:
    vectors = ([[1, 2]], [[0.8, 0.6]])
    full, short = ([[3, 4]], [[10.0, 5.0]]), ([[3, 4, -1]], [[10.0, 5.0, -np.inf]])
    for words, missing in ((full, 0.5), (short, 0.0)):
        fused = weighted_fusion([vectors, words], [0.5, 0.5], minimums=[0.0, 0.0])
        expected = {1: 0.5 + missing / 2, 2: 0.375 + missing / 2, 3: 0.5 + 0.375, 4: 0.25 + 0.375}
        assert dict(zip(fused.ids[0].tolist(), fused.scores[0].tolist(), strict=True)) == pytest.approx(expected)


def test_sums_that_differ_by_rounding_alone_are_equal() -> None:
    def ranking(first: int, second: int, start: int) -> list[list[int]]:
        row = list(range(start, start + 12))
        row[first], row[second] = 1, 2
        return [row]

    fused = reciprocal_rank_fusion([ranking(5, 10, 100), ranking(6, 5, 200), ranking(10, 6, 300)])
    assert fused.ids[0, :2].tolist() == [1, 2]
    assert fused.scores[0, 0] == fused.scores[0, 1]
