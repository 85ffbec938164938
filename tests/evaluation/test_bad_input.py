"""What can't be evaluated is said, with what to do."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.evaluation.score_model import FIRST_ID, corpus_of, model_of, queries_of
from tfdual import ColumnSchema, Preprocessor, Rows, Schema, Tags, TwoTowerModel, evaluate
from tfdual.evaluation import EvaluationOptions, evaluate_rankings

SCORES = np.random.default_rng(0).random((6, 9))
ONE_EACH = [[FIRST_ID + q] for q in range(6)]


def run(queries: tf.data.Dataset, scores: np.ndarray = SCORES, **arguments: Any) -> Any:
    return evaluate(model_of(), queries, corpus_of(scores), (3,), relevant="relevant", **arguments)


def graded(grades: Any) -> tf.data.Dataset:
    return queries_of(6, relevant=ONE_EACH, grades=grades)


def test_a_corpus_of_no_item() -> None:
    with pytest.raises(ValueError, match="The corpus holds no item"):
        evaluate(model_of(), queries_of(6, relevant=ONE_EACH), corpus_of(SCORES).take(0), (3,), relevant="relevant")


def test_an_item_that_stands_twice_is_named() -> None:
    twice = corpus_of(SCORES).concatenate(corpus_of(SCORES).unbatch().skip(4).take(1).batch(1))
    with pytest.raises(ValueError, match=r"Item ids must differ; the column 'item_id' repeats some, such as 104\."):
        evaluate(model_of(), queries_of(6, relevant=ONE_EACH), twice, (3,), relevant="relevant")


def test_queries_without_a_relevant_item_are_counted_and_not_scored() -> None:
    lists = [[FIRST_ID], [], [7], [FIRST_ID + 1, 7], [8, 9], []]
    report = run(queries_of(6, relevant=lists))
    assert (report["queries"], report.totals["queries_without_relevant"]) == (2, 4)
    assert report.totals["relevant_outside_corpus"] == 4
    assert report.rows.tolist() == [0, 3]
    assert "4 queries have no relevant item" in str(report)
    assert "4 relevant ids are of no item" in str(report)


def test_no_query_has_a_relevant_item() -> None:
    with pytest.raises(ValueError, match="None of 6 queries has a relevant item in the corpus. Compare 'relevant'"):
        run(queries_of(6, relevant=[[1], [], [2], [3], [], []]))


def test_what_restricts_the_items_is_named_where_no_relevant_one_is_left() -> None:
    lists = {"relevant": ONE_EACH, "history": ONE_EACH, "shown": [[FIRST_ID + 8]] * 6}
    with pytest.raises(ValueError, match="in the corpus, not in 'history'.*'relevant' with 'item_id' and 'history'"):
        run(queries_of(6, **lists), seen="history")
    with pytest.raises(ValueError, match="in the corpus, among 'shown'.*'relevant' with 'item_id' and 'shown'"):
        run(queries_of(6, **lists), options=EvaluationOptions(candidates="shown"))
    lists["history"] = [[FIRST_ID], *[[FIRST_ID + 8]] * 5]
    report = run(queries_of(6, **lists), seen="history")
    assert "1 queries have no relevant item in the corpus, not in 'history', and are not scored" in str(report)


def test_there_is_no_query() -> None:
    with pytest.raises(ValueError, match="None of 0 queries"):
        run(queries_of(6, relevant=ONE_EACH).take(0))


def test_a_cut_off_above_the_corpus_ranks_all_of_it() -> None:
    report = evaluate(model_of(), queries_of(6, relevant=ONE_EACH), corpus_of(SCORES), (9, 500), relevant="relevant")
    assert report["recall@9"] == report["recall@500"] == report["coverage@500"] == 1.0
    assert report["precision@500"] == pytest.approx(1 / 500)
    assert report["ndcg@9"] == report["ndcg@500"]


def test_cut_offs_are_sorted_and_stand_once() -> None:
    queries = queries_of(6, relevant=ONE_EACH)
    report = evaluate(model_of(), queries, corpus_of(SCORES), iter([5, 1, np.int64(5)]), relevant="relevant")
    assert report.ks == (1, 5)
    assert report.settings["ks"] == [1, 5]
    with pytest.raises(TypeError, match="float"):
        evaluate(model_of(), queries, corpus_of(SCORES), (2.5,), relevant="relevant")  # type: ignore[arg-type]


@pytest.mark.parametrize("column", ["relevance", "candidates", "slices"])
def test_a_column_of_the_options_that_is_not_there_is_named(column: str) -> None:
    options = EvaluationOptions(**{column: ["stars"] if column == "slices" else "stars"})
    with pytest.raises(ValueError, match=r"The rows lack the column 'stars'. They have \['relevant', 'vector'\]"):
        run(queries_of(6, relevant=ONE_EACH), options=options)


def test_nan_in_the_embeddings_of_queries_is_counted() -> None:
    vectors = np.eye(6, dtype=np.float32)
    vectors[[1, 4], 2] = np.nan, np.inf
    relevant = tf.ragged.constant(ONE_EACH, dtype=tf.int64)
    queries = tf.data.Dataset.from_tensor_slices({"vector": vectors, "relevant": relevant}).batch(6)
    with pytest.raises(ValueError, match=r"embeddings of 2 of the first 6 queries hold NaN.*lower learning rate"):
        run(queries)


def test_nan_in_the_embedding_of_an_item_is_named() -> None:
    scores = SCORES.copy()
    scores[2, 5] = np.nan
    with pytest.raises(ValueError, match=r"embedding of item 5 holds NaN.*lower learning rate"):
        run(queries_of(6, relevant=ONE_EACH), scores)


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        ([[1.0], [1.0], [], [1.0], [1.0], [1.0]], r"one grade in 'grades'. Row 2 of a batch has 1 ids and 0 grades"),
        ([[1.0], [1.0], [1.0, 2.0], [1.0], [1.0], [1.0]], r"Row 2 of a batch has 1 ids and 2 grades"),
        ([[1.0], [-2.0], [1.0], [1.0], [1.0], [1.0]], r"Grades are 0 or more. The column 'grades' holds -2.0"),
        ([[1.0], [float("nan")], [1.0], [1.0], [1.0], [1.0]], r"The column 'grades' holds nan"),
        (["a"] * 6, r"The grades in 'grades' must be numbers"),
    ],
)
def test_grades_that_do_not_fit(grades: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(graded(grades), options=EvaluationOptions(relevance="grades"))


def test_a_grade_of_0_is_not_relevant() -> None:
    report = run(graded([[1.0], [0.0], [2.0], [0.0], [3.0], [1.0]]), options=EvaluationOptions(relevance="grades"))
    assert report.rows.tolist() == [0, 2, 4, 5]


def test_an_id_that_a_list_repeats_has_its_highest_grade() -> None:
    lists = [[FIRST_ID, FIRST_ID + 1, FIRST_ID]] * 6
    twice = queries_of(6, relevant=lists, grades=[[1.0, 2.0, 3.0]] * 6)
    once = queries_of(6, relevant=[ids[1:] for ids in lists], grades=[[2.0, 3.0]] * 6)
    options = EvaluationOptions(relevance="grades")
    assert run(twice, options=options) == run(once, options=options)


@pytest.mark.parametrize("values", [list(range(30)), [f"user {i}" for i in range(30)], [i / 7 for i in range(30)]])
def test_a_slice_column_of_many_values_is_refused(values: list) -> None:
    scores = np.random.default_rng(0).random((30, 9))
    queries = queries_of(30, relevant=[[FIRST_ID]] * 30, user=values)
    example = r"such as (0|0\.0|'user 0')\. Slice by a column of few values: bucket numbers"
    with pytest.raises(ValueError, match=f"slice column 'user' holds more than 20 values, {example}"):
        run(queries, scores, options=EvaluationOptions(slices=["user"]))


def test_queries_of_nan_are_a_slice_of_their_own() -> None:
    ages = np.array([3.0, np.nan, 3.0, 7.0, np.nan, 3.0], np.float32)
    report = run(queries_of(6, batch=4, relevant=ONE_EACH, age=ages), options=EvaluationOptions(slices=["age"]))
    rows = {"age=3.0": [0, 2, 5], "age=7.0": [3], "age=nan": [1, 4]}
    assert list(report.slices) == list(rows)
    for name, places in rows.items():
        hits = [(SCORES[row] > SCORES[row, row]).sum() < 3 for row in places]
        assert report.slices[name]["recall@3"] == pytest.approx(np.mean(hits))
        assert report.slices[name]["queries"] == len(places)


def test_a_slice_column_of_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="slice column 'relevant' holds lists"):
        run(queries_of(6, relevant=ONE_EACH), options=EvaluationOptions(slices=["relevant"]))


def test_ids_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="ids in 'relevant' are strings and those of the items, in 'item_id', are num"):
        run(queries_of(6, relevant=["a"] * 6))


def test_options_are_checked() -> None:
    with pytest.raises(TypeError, match=r"slices is a list of columns. Received 'country'; write slices=\['country'\]"):
        EvaluationOptions(slices="country")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bootstrap and seed are 0 or more. Received -1 and 0"):
        EvaluationOptions(bootstrap=-1)


def test_raw_training_rows_do_not_go_with_model_ready_items(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    with pytest.raises(ValueError, match="`train` and `items` are both raw rows, or both datasets"):
        evaluate(model, queries.batch(16).map(prep), items.batch(16).map(prep), train=queries)


def test_training_rows_of_other_items_or_without_ids(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    other = tfdual.read(pa.table({"item_id": [1, 2]}), queries.schema.select_by_name(["item_id"]))
    with pytest.raises(ValueError, match="No item of the corpus stands in `train`"):
        evaluate(model, queries, items, preprocessor=prep, train=other)
    without = queries.select(queries.schema.select_by_name(["age"]))
    with pytest.raises(ValueError, match=r"training rows lack the column 'item_id'. They have \['age'\]"):
        evaluate(model, queries, items, preprocessor=prep, train=without)
    with pytest.raises(ValueError, match="Counts of training rows are 0 or more. Received -1"):
        evaluate(model, queries, items, preprocessor=prep, train={1000: -1})


IDS = np.arange(FIRST_ID, FIRST_ID + 9)
RANKED = np.stack([np.roll(IDS, q) for q in range(6)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ranked": RANKED[0]}, r"ranked is \(queries, depth\)"),
        ({"ranked": RANKED[:5]}, "more queries than the 5 lists ranked"),
        ({"ranked": np.concatenate([RANKED, RANKED])}, "12 lists are ranked for 6 queries"),
        ({"ranked": RANKED * 0 + FIRST_ID}, "holds an item twice"),
        ({"items": [*IDS, FIRST_ID]}, "Item ids must differ"),
        ({"scores": np.zeros((6, 3))}, r"of the shape of `ranked`, \(6, 9\)"),
        ({"scores": RANKED.astype(float)}, "scores fall from the first place on"),
        (
            {"scores": np.repeat([0.0, np.nan], [4, 2])[:, None] + np.zeros(9)},
            "scores hold NaN, first in list 4",
        ),
        ({"ranked": [[1, 2, 3]] * 5 + [[1]]}, "lists of one length. Fill up short ones"),
        ({"ranked": RANKED[:, :3], "scores": -RANKED[:, :3] * 0.0}, "can't show whether a tie goes on.*Rank 4 items"),
        ({"options": EvaluationOptions(candidates="relevant")}, "restricted to candidates when it is made"),
    ],
)
def test_rankings_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    given = {"ranked": RANKED, "items": IDS, "queries": queries_of(6, relevant=ONE_EACH), "relevant": "relevant"}
    with pytest.raises(ValueError, match=message):
        evaluate_rankings(**{**given, "ks": (3,), **arguments})


def test_training_rows_of_a_ranking_name_their_item_by_its_tag() -> None:
    schema = Schema([ColumnSchema("sold", [Tags.ITEM_ID]), ColumnSchema("user", [Tags.USER_ID])])
    sold = tfdual.read({"sold": [*IDS, *IDS[:3]], "user": [1] * 12}, schema)
    counts = {int(i): 2 if i in IDS[:3] else 1 for i in IDS}
    queries = queries_of(6, relevant=ONE_EACH)
    by_rows = evaluate_rankings(RANKED, queries, IDS, "relevant", (3,), train=sold)
    assert by_rows == evaluate_rankings(RANKED, queries, IDS, "relevant", (3,), train=counts)
    assert by_rows["popularity_bias@3"] != 0


def test_an_id_of_no_item_takes_its_place_in_vain() -> None:
    ranked = np.concatenate([np.zeros((6, 1), int), RANKED[:, :1] * 0 + np.arange(FIRST_ID, FIRST_ID + 6)[:, None]], 1)
    report = evaluate_rankings(ranked, queries_of(6, relevant=ONE_EACH), IDS, "relevant", (1, 2))
    assert (report["recall@1"], report["recall@2"], report["mrr@2"]) == (0.0, 1.0, 0.5)


@pytest.mark.parametrize("form", [list, lambda ids: np.array(ids, object), lambda ids: np.array(ids, "S")])
def test_ids_of_a_ranking_may_be_strings_of_any_form(form: Callable) -> None:
    relevant = {"relevant": pa.array([["b"], ["ü"]], pa.list_(pa.string()))}
    queries = tfdual.read(pa.table(relevant), Schema([ColumnSchema("relevant", dtype="string", is_list=True)]))
    utf8 = form(np.char.encode(["a", "b", "ü"], "utf-8").tolist())
    report = evaluate_rankings([["a", "b", ""], ["ü", "a", "b"]], queries, utf8, "relevant", (1, 2))
    assert (report["recall@1"], report["recall@2"]) == (0.5, 1.0)


def test_ids_of_a_ranking_may_be_integers_in_an_array_of_objects() -> None:
    queries = queries_of(6, relevant=ONE_EACH)
    report = evaluate_rankings(RANKED.astype(object), queries, IDS.astype(object), "relevant", (3,))
    assert report == evaluate_rankings(RANKED, queries, IDS, "relevant", (3,))


def test_places_without_an_item_have_the_score_minus_infinity() -> None:
    ranked, scores = RANKED.copy(), np.broadcast_to(np.arange(9.0)[::-1], RANKED.shape).copy()
    ranked[2, 1:], scores[2, 1:] = -1, -np.inf
    report = evaluate_rankings(ranked, queries_of(6, relevant=ONE_EACH), IDS, "relevant", (3,), scores=scores)
    assert report == evaluate_rankings(ranked, queries_of(6, relevant=ONE_EACH), IDS, "relevant", (3,))


def test_a_column_that_a_tower_reads_is_named_where_the_rows_lack_it(
    model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    kept = [name for name in queries.schema.column_names if name != "age"]
    lacking = queries.select(queries.schema.select_by_name(kept))
    with pytest.raises(ValueError, match=r"The queries lack the columns \['age'\], which the query tower reads.*ITEM"):
        evaluate(model, lacking, items, (3,), prep)
    ready = queries.batch(8).map(prep).map(lambda batch: {name: batch[name] for name in kept})
    with pytest.raises(ValueError, match=r"The queries lack the columns \['age'\]"):
        evaluate(model, ready, items.batch(8).map(prep), (3,))
    unnamed = items.batch(8).map(prep).map(lambda batch: {"item": batch["item_id"]})
    with pytest.raises(ValueError, match=r"The items lack the columns \['item_id'\].*They have \['item'\]"):
        evaluate(model, queries.batch(8).map(prep), unnamed, (3,))


def test_a_bad_row_of_training_and_evaluation_is_told_as_where_it_is_read(
    model: TwoTowerModel, prep: Preprocessor, table: pa.Table, items: Rows
) -> None:
    ages = np.asarray(table["age"]).copy()
    ages[41] = np.inf
    place = table.column_names.index("age")
    bad = tfdual.read(table.set_column(place, "age", pa.array(ages)), prep.input_schema)
    one = tfdual.TwoTowerModel(model.towers)
    one.compile(tfdual.LazyAdam(0.01))
    message = r"^Column 'age' of The table, row 41: the value is infinite.*quarantine='bad-rows.parquet'\)\.$"
    for what in (
        lambda: one.fit(bad.batch(8).map(prep), verbose=0),
        lambda: one.evaluate(bad.batch(8).map(prep), verbose=0),
        lambda: evaluate(model, bad, items, (3,), prep),
    ):
        with pytest.raises(ValueError, match=message):
            what()


def test_seen_ids_of_no_item_are_counted_and_told_where_none_is_of_one(recwarn: pytest.WarningsRecorder) -> None:
    some = run(queries_of(6, relevant=ONE_EACH, history=[[7, FIRST_ID + 8], [8], [], [], [9, 9], []]), seen="history")
    assert some.totals["seen_outside_corpus"] == 4
    assert "4 seen ids are of no item in the corpus and leave none out" in str(some)
    known = run(queries_of(6, relevant=ONE_EACH, history=[[FIRST_ID + 8]] * 6), seen="history")
    assert "seen_outside_corpus" not in known.totals
    assert "seen ids" not in str(known)
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]
    with pytest.warns(UserWarning, match="None of the 3 ids in 'history', such as 7, is of an item.*with 'item_id'"):
        none = run(queries_of(6, relevant=ONE_EACH, history=[[7], [8], [], [], [9], []]), seen="history")
    assert none == run(queries_of(6, relevant=ONE_EACH))


def test_several_seen_ids_in_one_text_are_told(recwarn: pytest.WarningsRecorder) -> None:
    items, ranked = ["a", "b", "c"], [["a", "b", "c"]] * 3
    schema = Schema([ColumnSchema("wanted", dtype="string"), ColumnSchema("seen", dtype="string")])

    def report(*seen: str) -> Any:
        queries = tfdual.read({"wanted": ["c"] * 3, "seen": list(seen)}, schema)
        return evaluate_rankings(ranked, queries, items, "wanted", (1, 3), "seen")

    assert report("a", "b", "x y").totals["seen_outside_corpus"] == 1
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]
    for text in ("a b", "a|b|x", "b, a"):
        told = f"1 ids in 'seen' are of no item, and some are several ids in one text, such as '{text}'"
        with pytest.warns(UserWarning, match=re.escape(told) + r'.* as JSON, such as \["a", "b"\]'):
            assert report("a", "b", text).totals["seen_outside_corpus"] == 1
