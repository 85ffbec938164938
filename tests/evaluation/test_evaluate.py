"""Figures over the whole corpus, against a slow loop over plain Python lists."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tfdual import Preprocessor, Rows, TwoTowerModel, evaluate

KS = (1, 3, 10, 60)


def slow_evaluation(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows, relevant: str, seen: str | None
) -> dict[str, float]:
    (query_batch,), (item_batch,) = queries.batch(1000), items.batch(1000)
    query_vectors = model.encode_query(prep(query_batch)).numpy().tolist()
    item_vectors = model.encode_item(prep(item_batch)).numpy().tolist()
    ids = item_batch["item_id"].numpy().tolist()
    sums: dict[str, float] = {}
    shown: dict[int, set[int]] = {k: set() for k in KS}
    count = 0
    for row, query in zip(queries.take(1000), query_vectors, strict=True):
        seen_ids = set(row[seen]) if seen else set()
        liked = {row[relevant]} if isinstance(row[relevant], int) else set(row[relevant])
        wanted = {i for i in liked if i in ids and i not in seen_ids}
        if not wanted:
            continue
        count += 1
        scored = [
            (sum(a * b for a, b in zip(query, item, strict=True)), i) for item, i in zip(item_vectors, ids, strict=True)
        ]
        ranked = [i for _, i in sorted(scored, reverse=True) if i not in seen_ids]
        for k in KS:
            shown[k] |= set(ranked[:k])
            hits = [rank for rank, i in enumerate(ranked[:k], start=1) if i in wanted]
            ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(k, len(wanted)) + 1))
            values = {
                "recall": len(hits) / len(wanted),
                "hit_rate": float(bool(hits)),
                "mrr": 1 / hits[0] if hits else 0.0,
                "ndcg": sum(1 / math.log2(1 + rank) for rank in hits) / ideal,
                "precision": len(hits) / k,
                "map": sum(number / rank for number, rank in enumerate(hits, start=1)) / len(wanted),
            }
            for name, value in values.items():
                sums[f"{name}@{k}"] = sums.get(f"{name}@{k}", 0.0) + value
    covered = {f"coverage@{k}": len(found) / len(ids) for k, found in shown.items()}
    return {name: value / count for name, value in sums.items()} | covered | {"queries": count}


@pytest.mark.parametrize("relevant", ["item_id", "liked", "liked_pair"])
@pytest.mark.parametrize("seen", [None, "seen"])
def test_every_figure_is_that_of_a_slow_loop(
    relevant: str, seen: str | None, model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    expected = slow_evaluation(model, prep, queries, items, relevant, seen)
    assert 10 < expected["queries"] < 50 or relevant == "liked_pair"
    assert 0 < expected["recall@3"] < expected["recall@10"] < expected["recall@60"]
    report = evaluate(model, queries, items, KS, prep, relevant, seen)
    assert report == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seen", [None, "seen"])
def test_model_ready_datasets_give_the_figures_of_raw_rows(
    seen: str | None, model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    raw = evaluate(model, queries, items, KS, prep, "liked", seen)
    ready = evaluate(model, queries.batch(16).map(prep), items.batch(7).map(prep), KS, relevant="liked", seen=seen)
    assert ready == pytest.approx(raw, rel=1e-9)


def test_the_models_item_id_is_relevant_unless_another_column_is_named(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    assert evaluate(model, queries, items, KS, prep) == evaluate(model, queries, items, KS, prep, relevant="item_id")


def test_without_an_exclusion_the_whole_corpus_holds_every_relevant_item(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    report = evaluate(model, queries, items, (len(items),), prep, "liked")
    assert report["recall@40"] == report["hit_rate@40"] == 1.0


def test_another_index_may_do_the_search(model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows) -> None:
    pytest.importorskip("scann")
    exact = evaluate(model, queries, items, KS, prep, "liked", "seen")
    assert evaluate(model, queries, items, KS, prep, "liked", "seen", tfdual.ScaNN()) == pytest.approx(exact)


def test_no_more_scores_are_asked_for_at_once_than_the_bound(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Watched(tfdual.BruteForce):
        def search_positions(self, queries: Any, *arguments: Any) -> Any:
            asked.append(len(queries) * self.size)
            return super().search_positions(queries, *arguments)

    expected = evaluate(model, queries, items, KS, prep, "liked", "seen")
    monkeypatch.setattr("tfdual.evaluation.item_search.BLOCK_SCORES", 7 * len(items))
    assert evaluate(model, queries, items, KS, prep, "liked", "seen", Watched()) == expected
    assert max(asked) == 7 * len(items)
    assert len(asked) >= 5


def test_training_rows_count_as_a_dict_of_counts_does(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows, table: pa.Table
) -> None:
    counts = Counter(table.column("item_id").to_pylist())
    rows = evaluate(model, queries, items, KS, prep, "liked", train=queries)
    assert rows == evaluate(model, queries, items, KS, prep, "liked", train=counts)
    ready = evaluate(
        model,
        queries.batch(16).map(prep),
        items.batch(7).map(prep),
        KS,
        relevant="liked",
        train=queries.batch(9).map(prep),
    )
    assert ready == pytest.approx(rows)
    assert set(rows) - set(evaluate(model, queries, items, KS, prep, "liked")) == {
        f"{name}@{k}" for name in ("novelty", "popularity_bias") for k in KS
    }


def test_an_item_slice_ranks_as_before_and_counts_its_own_items_alone(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    trained = {1000 + i: 1 for i in range(20)}
    whole = evaluate(model, queries, items, (10,), prep, train=trained)
    old, new = whole.slices["old items"], whole.slices["new items"]
    assert old["queries"] + new["queries"] == whole["queries"]
    for name in ("recall@10", "ndcg@10", "mrr@10"):
        together = (old[name] * old["queries"] + new[name] * new["queries"]) / whole["queries"]
        assert together == pytest.approx(whole[name])


def test_a_relevant_item_that_a_list_repeats_counts_once(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows, table: pa.Table
) -> None:
    once = [[1000 + i % 40] for i in range(len(table))]
    place = table.column_names.index("liked")
    single = tfdual.read(table.set_column(place, "liked", pa.array(once)), queries.schema)
    double = tfdual.read(table.set_column(place, "liked", pa.array([ids * 2 for ids in once])), queries.schema)
    expected = evaluate(model, single, items, KS, prep, "liked")
    assert evaluate(model, double, items, KS, prep, "liked") == expected
    assert expected["recall@60"] == 1.0


def test_an_untrained_model_is_no_better_than_chance(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    report = evaluate(model, queries, items, (4,), prep)
    assert abs(report["recall@4"] - 4 / 40) < 0.15


@pytest.mark.parametrize("ks", [(), (0,), (10, -1)])
def test_cut_offs_are_at_least_one(
    ks: tuple[int, ...], model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    with pytest.raises(ValueError, match="needs cut-offs of at least 1. Received ks="):
        evaluate(model, queries, items, ks, prep)


def test_one_cut_off_is_given_in_a_tuple(model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows) -> None:
    with pytest.raises(TypeError, match=r"such as ks=\(10, 100\). Received ks=5"):
        evaluate(model, queries, items, 5, prep)  # type: ignore[arg-type]


def test_raw_rows_need_the_preprocessor(model: TwoTowerModel, queries: Rows, items: Rows) -> None:
    with pytest.raises(ValueError, match="Raw rows need the preprocessor"):
        evaluate(model, queries, items)


def test_only_rows_and_datasets_are_taken(model: TwoTowerModel, prep: Preprocessor, queries: Rows) -> None:
    with pytest.raises(TypeError, match="Wanted rows of `tfdual.read` or a tf.data.Dataset.*Received list"):
        evaluate(model, queries, [{"item_id": 1}], preprocessor=prep)


@pytest.mark.parametrize("column", ["relevant", "seen"])
def test_a_column_that_is_not_there_is_named(
    column: str, model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    with pytest.raises(ValueError, match=r"rows lack the column 'clicked'. They have \['age'"):
        evaluate(model, queries, items, KS, prep, **{column: "clicked"})


def test_items_that_repeat_are_refused(model: TwoTowerModel, prep: Preprocessor, queries: Rows) -> None:
    twice = queries.select(queries.schema.select_by_name(["item_id"]))
    with pytest.raises(ValueError, match=r"Item ids must differ; the column 'item_id' repeats some"):
        evaluate(model, queries, twice, KS, prep)


def test_queries_of_another_corpus_are_refused(model: TwoTowerModel, prep: Preprocessor, queries: Rows) -> None:
    other = tfdual.read(pa.table({"item_id": np.arange(5)}), queries.schema.select_by_name(["item_id"]))
    with pytest.raises(
        ValueError, match="None of 50 queries has a relevant item in the corpus. Compare 'liked' with 'item_id'"
    ):
        evaluate(model, queries, other, KS, prep, "liked")


def test_an_index_that_is_served_stays_as_it_is(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    index = tfdual.BruteForce()
    retriever = model.to_retriever(items, index, prep)
    (batch,) = queries.select(retriever.query_schema).batch(1000)
    lists = [name for name, values in batch.items() if isinstance(values, tf.RaggedTensor)]
    asked = batch | {name: batch[name].to_list() for name in lists}
    before = retriever.search(asked, k=5)
    other = TwoTowerModel(model.towers.copy())
    found = evaluate(other, queries, items, preprocessor=prep, index=index)
    assert found == evaluate(other, queries, items, preprocessor=prep)
    assert found != evaluate(model, queries, items, preprocessor=prep)
    for name, values in retriever.search(asked, k=5).items():
        np.testing.assert_array_equal(values, before[name])
