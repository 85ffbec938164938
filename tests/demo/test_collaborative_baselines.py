import os
from pathlib import Path

import numpy as np
import pytest

from tfdual.demo.collaborative_baselines import item_to_item_rank, popularity_rank
from tfdual.demo.movielens import load_movielens

# Users of each item: 10 -> {1, 2, 3}, 20 -> {1, 2}, 30 -> {3}, 40 -> {4}; 50 nobody.
USERS = [1, 1, 2, 2, 3, 3, 4]
ITEMS = [10, 20, 10, 20, 10, 30, 40]
CORPUS = [50, 40, 30, 20, 10]


def ndcg(ranked: np.ndarray, relevant: list[list[int]], k: int) -> float:
    values = []
    for row, wanted in zip(ranked, relevant, strict=True):
        gain = sum(1 / np.log2(place + 2) for place, item in enumerate(row[:k]) if item in wanted)
        values.append(gain / sum(1 / np.log2(place + 2) for place in range(min(k, len(wanted)))))
    return float(np.mean(values))


def recall(ranked: np.ndarray, relevant: list[list[int]], k: int) -> float:
    rows = zip(ranked, relevant, strict=True)
    return float(np.mean([len(set(row[:k]) & set(wanted)) / len(wanted) for row, wanted in rows]))


@pytest.fixture(scope="module", params=["test", "validation"])
def real(request) -> tuple:
    data = os.environ.get("TFDUAL_DATA", Path(__file__).parents[3] / "shared" / "data")
    folder = Path(data) / "movielens-latest-small"
    if not folder.is_dir():
        pytest.skip(f"No MovieLens at {folder}: set TFDUAL_DATA to a folder that holds movielens-latest-small.")
    data = load_movielens(folder, request.param)
    columns = (data.train["user_id"], data.train["item_id"], data.items["item_id"])
    return request.param, *(column.to_numpy() for column in columns), data.test.to_pydict()


def test_popularity_counts_training_and_keeps_the_corpus_order_in_ties():
    assert popularity_rank(ITEMS, CORPUS, [[]], 5).tolist() == [[10, 20, 40, 30, 50]]


def test_popularity_never_returns_what_was_seen():
    ranked = popularity_rank(ITEMS, CORPUS, [[10, 40], [], [20]], 3)
    assert ranked.tolist() == [[20, 30, 50], [10, 20, 40], [10, 40, 30]]


def test_item_to_item_prefers_the_most_alike_to_the_more_popular():
    # From 30 only 10 is alike. From 20: 10 at 2 / sqrt(6). 40, as popular as 30, is alike to nothing.
    ranked = item_to_item_rank(USERS, ITEMS, CORPUS, [[30], [20]], [[30], [20]], 4, shrinkage=0.0)
    assert ranked[:, 0].tolist() == [10, 10]
    # From 10: 20 at 2 / sqrt(6) = .816, 30 at 1 / sqrt(3) = .577, then by popularity 40, 50.
    ranked = item_to_item_rank(USERS, ITEMS, CORPUS, [[10]], [[10]], 4, shrinkage=0.0)
    assert ranked.tolist() == [[20, 30, 40, 50]]


def test_similarities_to_the_whole_history_are_summed():
    # 3 is alike to 1 (.5) and to 2 (.5): 1.0. 4 is alike to 1 alone: 1 / sqrt(2) = .707.
    users = [1, 1, 2, 2, 3, 3]
    items = [1, 3, 2, 3, 1, 4]
    one, both = item_to_item_rank(users, items, [1, 2, 3, 4], [[1], [1, 2]], [[1, 2], [1, 2]], 2, shrinkage=0.0)
    assert one.tolist() == [4, 3]
    assert both.tolist() == [3, 4]


def test_shrinkage_distrusts_items_with_few_users():
    # 7 and 8 share their only user: 1 / (1 + s). 1 and 3 share 3 of 4: 3 / (4 + s). So 1 > .75, but at s = 2 .33 < .5.
    users = [9, 9, 1, 2, 3, 4, 2, 3, 4, 5]
    items = [7, 8, 1, 1, 1, 1, 3, 3, 3, 3]
    trusting = item_to_item_rank(users, items, [1, 3, 7, 8], [[7, 1]], [[7, 1]], 2, shrinkage=0.0)
    doubting = item_to_item_rank(users, items, [1, 3, 7, 8], [[7, 1]], [[7, 1]], 2, shrinkage=2.0)
    assert (trusting.tolist(), doubting.tolist()) == ([[8, 3]], [[3, 8]])


def test_an_item_counts_only_its_nearest_neighbours():
    # 1 is alike to 2 (2 / sqrt(6) = .816) and to 3 (1 / sqrt(6) = .408); 4 is alike to 3 alone (1 / sqrt(8) = .354).
    users = [1, 2, 3, 1, 2, 3, 4, 4, 5, 6, 7]
    items = [1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]
    all_of_them = item_to_item_rank(users, items, [1, 2, 3, 4], [[3]], [[3]], 3, neighbours=4, shrinkage=0.0)
    nearest = item_to_item_rank(users, items, [1, 2, 3, 4], [[3]], [[3]], 3, neighbours=1, shrinkage=0.0)
    assert (all_of_them.tolist(), nearest.tolist()) == ([[1, 4, 2]], [[4, 1, 2]])


def test_an_empty_or_unknown_history_falls_back_to_popularity():
    ranked = item_to_item_rank(USERS, ITEMS, CORPUS, [[], [999]], [[], []], 5)
    assert ranked.tolist() == [[10, 20, 40, 30, 50]] * 2


def test_item_to_item_agrees_with_loops_over_blocks_and_strings():
    generator = np.random.default_rng(0)
    pairs = np.unique(generator.integers([40, 1500], size=(4000, 2)), axis=0)
    users, items = pairs[:, 0], pairs[:, 1]
    corpus = np.array([f"item {number}" for number in range(1600)])
    history = [corpus[items[users == 0]], corpus[items[users == 1]]]
    ranked = item_to_item_rank(users, corpus[items], corpus, history, history, 20, neighbours=5000, shrinkage=3.0)
    users_of = [set(users[items == item]) for item in range(1600)]
    for query in (0, 1):
        liked = items[users == query]
        scores = np.zeros(1600)
        for item in set(range(1600)) - set(liked.tolist()):
            for other in liked:
                norm = np.sqrt(len(users_of[item]) * len(users_of[other])) + 3.0
                scores[item] += len(users_of[item] & users_of[other]) / norm
        got = [scores[int(name.split()[1])] for name in ranked[query]]
        np.testing.assert_allclose(got, np.sort(scores)[::-1][:20], rtol=1e-5)


def test_without_training_data_the_corpus_order_stands():
    assert item_to_item_rank([], [], CORPUS, [[10]], [[40]], 3).tolist() == [[50, 30, 20]]


@pytest.mark.parametrize("k", [0, 4])
def test_a_k_beyond_the_unseen_items_is_refused(k):
    with pytest.raises(ValueError, match="k must be from 1 to 3"):
        popularity_rank(ITEMS, CORPUS, [[10], [10, 20]], k)


def test_duplicate_items_are_refused():
    with pytest.raises(ValueError, match="each item once"):
        popularity_rank(ITEMS, [*CORPUS, 10], [[]], 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_user_ids": USERS[1:]}, "6 users, 7 items"),
        ({"seen": [[], []]}, "1 histories, 2 seen"),
        ({"neighbours": 0}, "neighbours must be >= 1"),
        ({"shrinkage": -1.0}, "shrinkage >= 0"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(changed, message):
    given = {"train_user_ids": USERS, "train_item_ids": ITEMS, "item_ids": CORPUS, "histories": [[]], "seen": [[]]}
    with pytest.raises(ValueError, match=message):
        item_to_item_rank(**given | changed, k=1)


def test_on_real_likes_item_to_item_is_well_above_popularity(real):
    part, users, items, corpus, queries = real
    popular = popularity_rank(items, corpus, queries["seen"], 100)
    alike = item_to_item_rank(users, items, corpus, queries["likes"], queries["seen"], 100)
    relevant = queries["relevant"]
    measured = [(ndcg(ranked, relevant, 10), recall(ranked, relevant, 100)) for ranked in (popular, alike)]
    expected = {"test": [(0.078, 0.237), (0.114, 0.346)], "validation": [(0.078, 0.287), (0.127, 0.401)]}
    np.testing.assert_allclose(measured, expected[part], atol=0.003)


def test_on_real_likes_nothing_seen_is_returned_and_nothing_twice(real):
    _, users, items, corpus, queries = real
    ranked = item_to_item_rank(users, items, corpus, queries["likes"], queries["seen"], 50)
    for row, seen in zip(ranked, queries["seen"], strict=True):
        assert not set(row.tolist()) & set(seen)
        assert len(set(row.tolist())) == 50
