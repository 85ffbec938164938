"""What is served has the figures of the model that it was made of."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tfdual
from tests.evaluation.conftest import make_model
from tfdual import ColumnSchema, Preprocessor, Retriever, Rows, Schema, Tags, TwoTowerModel, evaluate
from tfdual.evaluation import EvaluationOptions, evaluate_retriever

KS = (1, 3, 10, 60)


@pytest.fixture(scope="module")
def retriever(model: TwoTowerModel, prep: Preprocessor, items: Rows) -> Retriever:
    return model.to_retriever(items, tfdual.BruteForce(), prep)


@pytest.fixture(scope="module")
def loaded(retriever: Retriever, tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    return Retriever.load(retriever.export(Path(tmp_path_factory.mktemp("served"))))


@pytest.mark.parametrize("seen", [None, "seen"])
def test_a_loaded_model_has_the_figures_of_the_model(
    seen: str | None, loaded: Retriever, model: TwoTowerModel, prep: Preprocessor, queries: Rows, items: Rows
) -> None:
    served = evaluate_retriever(loaded, queries, KS, "liked", seen, train=queries)
    expected = evaluate(model, queries, items, KS, prep, "liked", seen, train=queries)
    assert served == pytest.approx(expected)
    assert served.slices.keys() == expected.slices.keys()
    assert served.totals == expected.totals
    assert served.fingerprint == expected.fingerprint


def test_so_has_one_that_was_not_exported(retriever: Retriever, loaded: Retriever, queries: Rows) -> None:
    assert evaluate_retriever(retriever, queries, KS) == pytest.approx(evaluate_retriever(loaded, queries, KS))
    assert evaluate_retriever(retriever, queries, KS).settings["relevant"] == "item_id"
    assert sorted(retriever.item_ids()) == list(range(1000, 1040))


def test_few_queries_are_asked_at_once(loaded: Retriever, queries: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate_retriever(loaded, queries, KS, "liked", "seen")
    monkeypatch.setattr("tfdual.evaluation.item_search.BLOCK_SCORES", 9 * 40)
    assert evaluate_retriever(loaded, queries, KS, "liked", "seen") == pytest.approx(whole)


def test_candidates_are_refused(loaded: Retriever, queries: Rows) -> None:
    with pytest.raises(ValueError, match="can't be restricted to candidates"):
        evaluate_retriever(loaded, queries, options=EvaluationOptions(candidates="liked"))


def test_string_ids_and_their_slices(tmp_path: Path) -> None:
    schema = Schema(
        [
            ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
            ColumnSchema("item_id", [Tags.ITEM_ID], {"domain": {"name": "item"}}, dtype="string"),
        ]
    )
    lists = Schema(
        [
            ColumnSchema("liked", dtype="string", is_list=True),
            ColumnSchema("seen", dtype="string", is_list=True),
            ColumnSchema("country", dtype="string"),
        ]
    )
    names = [f"Straße {i}" for i in range(12)]
    users = [f"u{i}" for i in range(12)]
    rows = tfdual.read(pa.table({"user_id": users, "item_id": names}), schema)
    prep = Preprocessor(schema).adapt(rows)
    model = make_model(prep)
    items = rows.select(schema.select_by_name(["item_id"]))
    liked = [[names[i], names[(i + 3) % 12], "nobody's"] for i in range(12)]
    asked = pa.table({"user_id": users, "liked": liked, "seen": [[name] for name in names], "country": ["ö", "é"] * 6})
    queries = tfdual.read(asked, schema.select_by_name(["user_id"]) + lists)
    options = EvaluationOptions(slices=["country"])
    counts = {name: i for i, name in enumerate(names)}
    expected = evaluate(model, queries, items, (1, 5), prep, "liked", "seen", train=counts, options=options)
    loaded = Retriever.load(model.to_retriever(items, tfdual.BruteForce(), prep).export(tmp_path))
    served = evaluate_retriever(loaded, queries, (1, 5), "liked", "seen", rows, options)
    assert {"country=é", "country=ö"} <= served.slices.keys()
    assert served.fingerprint == expected.fingerprint
    assert expected.totals == {"items": 12, "queries_without_relevant": 0, "relevant_outside_corpus": 12}
    for name, values in expected.per_query.items():
        if not name.startswith("novelty"):
            np.testing.assert_allclose(served.per_query[name], values)
