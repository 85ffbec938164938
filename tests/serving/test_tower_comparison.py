"""Two query towers asked the same queries: agreement and quality by hand, by scipy and by a slow loop."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from scipy.stats import kendalltau

import tfdual
from tests.serving.test_query_towers import FIRST, ITEM, ROWS, SECOND, model_of
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.metrics import paired_test
from tfdual.serving import TowerComparison, compare_query_towers

K = 12


def listing(first: list, second: list, kind: str = "int64") -> Any:
    """A retriever that answers from given lists of (ids, scores); a query is its row in them."""
    towers = {"default": first, "b": second}

    def search(queries: dict, k: int, tower: str) -> dict[str, np.ndarray]:
        found = [towers[tower][row] for row in queries["row"]]
        return {"id": np.array([ids[:k] for ids, _ in found]), "score": np.array([scores[:k] for _, scores in found])}

    schema = Schema([ColumnSchema("row", [Tags.USER_ID])])
    return SimpleNamespace(
        query_schemas={"default": schema, "b": schema}, description={"id_dtype": kind}, search=search
    )


@pytest.fixture(scope="module")
def retriever() -> Retriever:
    """Thirty items; one tower reads the user, the other the age."""
    keras.utils.set_random_seed(5)
    preps = [tfdual.Preprocessor(schema).adapt(tfdual.read(ROWS, schema)) for schema in (FIRST, SECOND)]
    first, second = (model_of(schema, prep) for schema, prep in zip((FIRST, SECOND), preps, strict=True))
    for mine, theirs in zip(second.towers.item.variables, first.towers.item.variables, strict=True):
        mine.assign(theirs)
    single = first.to_retriever(tfdual.read(ROWS, FIRST).select(Schema(ITEM)), preprocessor=preps[0])
    return single.with_query_tower("b", second.to_query_tower(preps[1]))


@pytest.fixture(scope="module")
def queries() -> dict[str, list]:
    return {"user": [f"u{i % 9}" for i in range(23)], "age": np.linspace(10, 90, 23).tolist()}


def test_two_lists_worked_by_hand() -> None:
    scores = [4.0, 3.0, 2.0, 1.0]
    one = listing([([1, 2, 3, 4], scores)], [([2, 1, 5, 4], scores)])
    report = compare_query_towers(one, {"row": [0]}, k=4, relevant=[[4, 5]])
    assert (report.overlap, report.same_first, report.queries) == (0.75, 0.0, 1)
    assert report.rank_correlation == pytest.approx(1 / 3)  # of 1, 2 and 4, one pair of three changed places
    recall, ndcg = report.quality["recall@4"], report.quality["ndcg@4"]
    assert (recall.first, recall.second, recall.difference) == (0.5, 1.0, -0.5)
    best = 1 + 1 / math.log2(3)
    assert ndcg.first == pytest.approx(1 / math.log2(5) / best)
    assert ndcg.second == pytest.approx((1 / math.log2(4) + 1 / math.log2(5)) / best)


def test_scores_that_tie_are_neither_in_order_nor_out_of_it() -> None:
    first, second = [4.0, 4.0, 2.0, 1.0], [9.0, 7.0, 7.0, 7.0]
    ids = [1, 2, 3, 4]
    report = compare_query_towers(listing([(ids, first)], [(ids, second)]), {"row": [0]}, k=4)
    assert report.rank_correlation == pytest.approx(kendalltau(first, second).statistic)


def test_a_query_without_two_items_in_both_lists_has_no_rank_correlation() -> None:
    lists = [([1, 2], [2.0, 1.0]), ([1, 2], [2.0, 1.0])]
    others = [([2, 1], [2.0, 1.0]), ([2, 9], [2.0, 1.0])]
    report = compare_query_towers(listing(lists, others), {"row": [0, 1]}, k=2)
    assert (report.rank_correlation, report.correlated, report.overlap) == (-1.0, 1, 0.75)
    report = compare_query_towers(listing(lists[1:], others[1:]), {"row": [0]}, k=2)
    assert math.isnan(report.rank_correlation)
    assert report.to_dict()["rank_correlation"] is None


def test_places_that_nothing_is_left_for_count_for_nothing() -> None:
    scores = [2.0, 1.0, -math.inf]
    one = listing([(["a", "b", ""], scores)], [(["b", "a", ""], scores)], "string")
    report = compare_query_towers(one, {"row": [0]}, k=3, relevant=[["b"]])
    assert (report.overlap, report.same_first, report.rank_correlation) == (1.0, 0.0, -1.0)
    assert report.quality["recall@3"].first == 1.0


def test_towers_of_a_real_retriever_agree_as_scipy_and_a_loop_say(retriever: Retriever, queries: dict) -> None:
    relevant = [[row, (row * 7) % 30] for row in range(23)]
    report = compare_query_towers(retriever, queries, k=K, relevant=relevant)
    one = retriever.search({"user": queries["user"]}, K)
    two = retriever.search({"age": queries["age"]}, K, tower="b")
    overlaps, taus, hits = [], [], []
    for row in range(23):
        scored = [dict(zip(found["id"][row].tolist(), found["score"][row], strict=True)) for found in (one, two)]
        both = sorted(scored[0].keys() & scored[1].keys())
        overlaps.append(len(both) / K)
        hits.append([len(set(relevant[row]) & found.keys()) / len(set(relevant[row])) for found in scored])
        if len(both) > 1:
            taus.append(kendalltau(*([found[item] for item in both] for found in scored)).statistic)
    assert 0 < np.mean(overlaps) < 1
    assert report.overlap == pytest.approx(np.mean(overlaps))
    assert report.rank_correlation == pytest.approx(np.mean(taus))
    assert report.correlated == len(taus)
    assert report.same_first == pytest.approx(np.mean(one["id"][:, 0] == two["id"][:, 0]))
    assert report.quality["recall@12"] == paired_test(*np.array(hits).T)


def test_batches_and_an_artefact_change_nothing(retriever: Retriever, queries: dict, tmp_path: Path) -> None:
    relevant = [[row] for row in range(23)]
    whole = compare_query_towers(retriever, queries, k=K, relevant=relevant)
    assert compare_query_towers(retriever, queries, k=K, relevant=relevant, batch=5).to_dict() == whole.to_dict()
    retriever.export(tmp_path / "model")
    loaded = Retriever.load(tmp_path / "model")
    assert compare_query_towers(loaded, queries, k=K, relevant=relevant).to_dict() == whole.to_dict()


def test_the_order_of_the_towers_turns_the_difference(retriever: Retriever, queries: dict) -> None:
    relevant = [[row] for row in range(23)]
    there, back = (
        compare_query_towers(retriever, queries, towers, K, relevant) for towers in (("default", "b"), ("b", "default"))
    )
    assert there.quality["ndcg@12"].difference == pytest.approx(-back.quality["ndcg@12"].difference)
    assert there.quality["ndcg@12"].difference != 0
    assert (there.overlap, there.rank_correlation) == pytest.approx((back.overlap, back.rank_correlation))


def test_the_whole_corpus_is_in_both_lists_where_k_is_above_it(retriever: Retriever, queries: dict) -> None:
    report = compare_query_towers(retriever, queries, k=100, relevant=[[3]] * 23)
    assert (report.overlap, report.k) == (1.0, 100)
    assert (report.quality["recall@100"].first, report.quality["recall@100"].p_value) == (1.0, 1.0)


def test_queries_without_a_relevant_item_are_not_scored(retriever: Retriever, queries: dict) -> None:
    relevant = [[row] if row % 2 else [] for row in range(23)]
    odd = {name: values[1::2] for name, values in queries.items()}
    some = compare_query_towers(retriever, queries, k=K, relevant=relevant)
    alone = compare_query_towers(retriever, odd, k=K, relevant=relevant[1::2])
    assert (some.judged, some.queries) == (11, 23)
    assert some.quality == alone.quality


def test_a_report_is_a_table_and_plain_json(retriever: Retriever, queries: dict) -> None:
    report = compare_query_towers(retriever, queries, k=K, relevant=[[row] for row in range(23)])
    lines = str(report).splitlines()
    assert lines[0] == "23 queries, 12 items each"
    assert lines[1].split() == ["overlap@12", f"{report.overlap:.4f}"]
    assert lines[5].split()[:3] == ["default", "b", "difference"]
    assert [line.split()[0] for line in lines[6:]] == ["recall@12", "ndcg@12"]
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert told["towers"] == ["default", "b"]
    assert told["quality"]["ndcg@12"]["p_value"] == report.quality["ndcg@12"].p_value
    assert len(str(compare_query_towers(retriever, queries, k=K)).splitlines()) == 4
    with pytest.raises(AttributeError):
        report.k = 3
    assert isinstance(report, TowerComparison)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"towers": ("default", "c")}, r"no query tower 'c'. There are \['b', 'default'\]"),
        ({"towers": ("b", "b")}, "Two different query towers"),
        ({"towers": ("default",)}, "Two different query towers"),
        ({"towers": "b"}, "Two different query towers"),
        ({"k": 0}, "k is at least 1. Received 0"),
        ({"batch": 0}, "batch is at least 1"),
        ({"queries": {}}, "at least one query"),
        ({"queries": {"user": [], "age": []}}, "at least one query"),
        ({"queries": {"user": ["u1"], "age": [1.0, 2.0]}}, "same number of queries. Received {'user': 1, 'age': 2}"),
        ({"queries": {"user": ["u1"]}}, r"tower 'b' lacks the columns \['age'\]"),
        ({"queries": {"user": ["u1"], "age": [1.0], "mood": [1]}}, r"columns \['mood'\] are of neither tower"),
        ({"relevant": [[1]]}, "Received 1 lists, 2 queries"),
        ({"relevant": [[1], ["x"]]}, "int64 ids for each query. That of query 1: .*string"),
        ({"relevant": [1, 2]}, "a list of int64 ids for each query. That of query 0"),
        ({"relevant": ["ab", "c"]}, "a single one, 'ab'"),
        ({"relevant": [[], []]}, "No query has a relevant item"),
    ],
)
def test_what_cannot_be_compared_is_named(changes: dict, message: str, retriever: Retriever) -> None:
    arguments = {"queries": {"user": ["u1", "u2"], "age": [20.0, 30.0]}, "k": 3} | changes
    with pytest.raises(ValueError, match=message):
        compare_query_towers(retriever, **arguments)


def test_scores_of_nan_are_refused() -> None:
    broken = listing([([1, 2], [2.0, 1.0])], [([1, 2], [math.nan, 1.0])])
    with pytest.raises(ValueError, match="tower 'b' scores items with NaN"):
        compare_query_towers(broken, {"row": [0]}, k=2)
