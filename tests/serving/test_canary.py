"""What a model must show before it is published; below that, nothing is."""

from pathlib import Path

import numpy as np
import pytest

import tfdual
from tfdual import Retriever
from tfdual.serving import Canary, CanaryError, Versions
from tfdual.serving.canary import require_same_answers


def test_what_the_canary_showed_is_kept(retriever: Retriever, queries: dict[str, list], tmp_path: Path) -> None:
    found = Retriever.load(retriever.export(tmp_path / "m", canary=Canary(queries, k=5, min_recall=1.0)))
    shown = found.description["canary"]
    assert (shown["queries"], shown["recall@5"]) == (3, 1.0)
    assert 0 < shown["median_latency_ms"] < 1_000


@pytest.mark.parametrize("asked", [{"max_latency_ms": 1e-6}, {"min_recall": 0.9}])
def test_below_what_is_asked_nothing_is_published_and_what_was_served_stays(
    asked: dict,
    model: tfdual.TwoTowerModel,
    prep: tfdual.Preprocessor,
    items: tfdual.Rows,
    queries: dict,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poor = model.to_retriever(items, preprocessor=prep)
    # Sixty items are found exactly, whatever the index.
    monkeypatch.setattr("tfdual.serving.canary.measured_recall", lambda index, queries, k: 0.89)
    poor.export(tmp_path / "m")
    before = sorted(path.name for path in (tmp_path / "m").iterdir())
    with pytest.raises(CanaryError, match="Nothing was published"):
        poor.export(tmp_path / "m", canary=Canary(queries, **asked))
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == before
    assert [version.number for version in Versions(tmp_path / "m").list()] == [1]


def test_a_saved_model_that_answers_otherwise_is_not_published(
    retriever: Retriever, queries: dict[str, list], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Retriever.search

    def off(self: Retriever, *args: object, **kwargs: object) -> dict[str, np.ndarray]:
        found = honest(self, *args, **kwargs)
        return found if self.saved_model is None else found | {"score": found["score"] + 0.1}

    monkeypatch.setattr(Retriever, "search", off)
    with pytest.raises(CanaryError, match="The saved model answers canary query 0 with"):
        retriever.export(tmp_path / "m", canary=Canary(queries))
    assert not list(tmp_path.rglob("saved_model.pb"))


def test_items_whose_scores_tie_may_change_places() -> None:
    scores = np.array([[0.9, 0.5, 0.5, 0.2]])
    expected = {"id": np.array([[1, 2, 3, 4]]), "score": scores}
    require_same_answers(
        {"id": np.array([[1, 3, 2, 5]]), "score": scores + 1e-6}, expected
    )  # the last may tie with the next
    with pytest.raises(CanaryError, match="in place 0"):
        require_same_answers({"id": np.array([[2, 1, 3, 4]]), "score": scores}, expected)


def test_what_a_canary_asks_is_checked() -> None:
    for arguments, message in (
        ({"queries": {}}, "at least one query"),
        ({"queries": {"user": []}}, "at least one query"),
        ({"queries": {"user": ["a"]}, "min_recall": 95}, "share between 0 and 1. Received 95"),
        ({"queries": {"user": ["a"]}, "max_latency_ms": 0}, "positive"),
    ):
        with pytest.raises(ValueError, match=message):
            Canary(**arguments)


def test_without_kept_embeddings_all_but_the_recall_is_shown(
    model: tfdual.TwoTowerModel, prep: tfdual.Preprocessor, items: tfdual.Rows, queries: dict, tmp_path: Path
) -> None:
    small = model.to_retriever(items, tfdual.BruteForce(dtype="int8", keep_embeddings=False), prep)
    shown = Retriever.load(small.export(tmp_path / "m", canary=Canary(queries, k=5))).description["canary"]
    assert list(shown) == ["queries", "median_latency_ms"]
    with pytest.raises(CanaryError, match=r"its recall can't be measured. Nothing was published"):
        small.export(tmp_path / "m", canary=Canary(queries, min_recall=0.5))
    assert [version.number for version in Versions(tmp_path / "m").list()] == [1]
