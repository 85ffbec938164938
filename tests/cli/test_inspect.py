import json
from pathlib import Path


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
