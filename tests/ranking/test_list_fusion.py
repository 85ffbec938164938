"""Fusions as objects, and weights that are chosen."""

import json

import numpy as np
import pytest

from tfdual.index import Neighbours
from tfdual.metrics import recall, reciprocal_rank
from tfdual.ranking import (
    ListFusion,
    ReciprocalRank,
    WeightedScores,
    choose_weight,
    reciprocal_rank_fusion,
    weighted_fusion,
)

LISTS = [
    Neighbours(np.array([["a", "b", "c"]]), np.array([[0.9, 0.3, 0.2]])),
    Neighbours(np.array([["d", "b"]]), np.array([[12.0, 11.0]])),
]
FUSIONS = [
    ReciprocalRank(),
    ReciprocalRank(3.0, [0.2, 0.8]),
    WeightedScores(),
    WeightedScores([0.2, 0.8], "z-score"),
    WeightedScores((0.2, 0.8), None, [None, 0.0]),
]


def test_an_object_fuses_as_its_function() -> None:
    by_rank = reciprocal_rank_fusion([ids for ids, _ in LISTS], 3.0, [0.2, 0.8], 2)
    np.testing.assert_array_equal(FUSIONS[1].fuse(LISTS, 2).ids, by_rank.ids)
    np.testing.assert_array_equal(FUSIONS[1].fuse(LISTS, 2).scores, by_rank.scores)
    by_score = weighted_fusion(LISTS, [0.2, 0.8], None, [None, 0.0])
    np.testing.assert_array_equal(FUSIONS[4].fuse(LISTS).ids, by_score.ids)
    np.testing.assert_array_equal(FUSIONS[4].fuse(LISTS).scores, by_score.scores)


@pytest.mark.parametrize("fusion", FUSIONS, ids=str)
def test_what_is_described_is_made_again(fusion: ListFusion) -> None:
    assert ListFusion.from_dict(json.loads(json.dumps(fusion.describe()))) == fusion


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="Received 'Borda'"):
        ListFusion.from_dict({"kind": "Borda"})


@pytest.mark.parametrize(
    "make",
    [
        lambda: ReciprocalRank(-1.0),
        lambda: ReciprocalRank(weights=[1, -1]),
        lambda: WeightedScores(normalise="softmax"),
        lambda: WeightedScores([1, 1], minimums=[0.0]),
    ],
)
def test_bad_settings_are_refused_at_once(make: object) -> None:
    with pytest.raises(ValueError, match="Received"):
        make()


def random_lists(queries: int) -> tuple[Neighbours, Neighbours, list[list[int]]]:
    """Two noisy views of what is relevant, the second noisier."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(queries, 30))
    views = [truth + noise * rng.normal(size=truth.shape) for noise in (0.8, 1.6)]
    lists = []
    for view in views:
        order = np.argsort(-view, axis=1)[:, :20]
        lists.append(Neighbours(order, np.take_along_axis(view, order, axis=1)))
    return *lists, [np.argsort(-row)[:3].tolist() for row in truth]


@pytest.mark.parametrize(("metric", "k"), [(recall, 5), (reciprocal_rank, 10)])
def test_the_chosen_weight_is_the_best_of_the_grid(metric: object, k: int) -> None:
    first, second, relevant = random_lists(200)
    choice = choose_weight(first, second, relevant, metric, k, steps=10)
    assert [round(weight, 6) for weight in choice.means] == [round(step / 10, 6) for step in range(11)]
    by_hand = {}
    for weight in choice.means:
        found = weighted_fusion([first, second], [weight, 1 - weight]).ids[:, :k].tolist()
        values = []
        for row, right in zip(found, relevant, strict=True):
            ranks = [rank for rank, item in enumerate(row, 1) if item in right]
            values.append(len(ranks) / 3 if metric is recall else 1 / min(ranks, default=np.inf))
        by_hand[weight] = np.mean(values)
    assert choice.means == pytest.approx(by_hand)
    assert choice.means[choice.weights[0]] == max(choice.means.values())
    assert sum(choice.weights) == 1.0
    assert choice.weights[0] > 0.5
    assert choice.means[choice.weights[0]] > max(choice.means[0.0], choice.means[1.0])


def test_where_all_weights_are_as_good_the_middle_is_taken() -> None:
    same = Neighbours([["a", "b"]], [[2.0, 1.0]])
    assert choose_weight(same, same, [["a"]]).weights == (0.5, 0.5)


def test_bytes_are_relevant_as_their_strings() -> None:
    first, second = LISTS
    assert choose_weight(first, second, [[b"d"]], k=1, steps=2).means == {0.0: 1.0, 0.5: 0.0, 1.0: 0.0}


@pytest.mark.parametrize("relevant", [[["7"], ["8"]], [[7], ["8"]]])
def test_relevant_ids_of_another_type_are_refused(relevant: list) -> None:
    lists = Neighbours([[7, 8], [8, 7]], [[0.9, 0.8], [0.5, 0.4]])
    assert choose_weight(lists, lists, [[7], [8]], k=1).means[0.5] == 1.0
    with pytest.raises(TypeError, match="integers and those of others strings. Give all in one type"):
        choose_weight(lists, lists, relevant)


@pytest.mark.parametrize(
    ("relevant", "arguments"),
    [([["a"]], {"k": 0}), ([["a"]], {"steps": 0}), ([], {}), ([[]], {}), ([["a"], ["b"]], {})],
)
def test_bad_judgements_are_refused(relevant: list, arguments: dict) -> None:
    with pytest.raises(ValueError, match="Received"):
        choose_weight(*LISTS, relevant, **arguments)
