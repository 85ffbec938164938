import json
from pathlib import Path

import pytest

import tfdual
from tfdual import ColumnSchema, Schema, Tags


def test_inspect_says_what_a_model_takes_gives_and_holds(run_tfdual, model: Path) -> None:
    finished = run_tfdual("inspect", model)
    assert (finished.code, finished.err) == (0, "")
    description = json.loads((model / "1" / "assets.extra" / "tfdual.json").read_text())
    for part in (
        str(model / "1"),
        "serving_default",
        "embed_query",
        "user_id",
        "(?, 2)",
        "embedding",
        "book_id",
        "kind BruteForce",
        "items 12",
        f"{description['parameters']:,} parameters",
        "saved_model.pb",
        "recall@10 0.25",
    ):
        assert part in finished.out, part


def test_inspect_takes_a_version_too(run_tfdual, model: Path) -> None:
    assert run_tfdual("inspect", model / "1").out == run_tfdual("inspect", model).out


@pytest.mark.parametrize(
    "report", [{"recall@10": 0.375, "queries": 40}, {"metrics": {"recall@10": 0.375}, "settings": {"ks": [10]}}]
)
def test_a_report_of_one_model_is_shown(run_tfdual, report: dict, tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("user_id", [Tags.USER_ID]), ColumnSchema("book_id", [Tags.ITEM_ID])])
    rows = tfdual.read({"user_id": [1, 2, 3], "book_id": [4, 5, 6]}, schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    model = tfdual.MatrixFactorizationModel(prep.schema, dim=4)
    model.to_retriever(rows.select(schema.select_by_name("book_id")), None, prep).export(
        tmp_path / "model", report=report
    )
    finished = run_tfdual("inspect", tmp_path / "model")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.splitlines()[-1].strip() == "recall@10 0.375"
