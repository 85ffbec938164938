import numpy as np
import pytest

from tests.tailoring.frozen import ASKED, IDS, RELEVANT, TARGETS, VECTORS, model_of, preprocessor, retriever, trained
from tfdual.tailoring import DeepReranker, LinearTransform, tailoring_report


def test_it_says_what_was_gained_and_that_no_item_is_embedded_again() -> None:
    ready = preprocessor()
    before = retriever(ready, model_of(ready))
    tuned = trained(ready, LinearTransform())
    after = before.with_query_tower("tuned", tuned.to_query_tower(ready))
    report = tailoring_report(before, after, {"asked": ASKED}, RELEVANT, ks=(1, 10), towers=("default", "tuned"))
    moved = np.asarray(tuned.encode_query({"asked": ASKED}))
    ranks = [np.argsort(-queries @ VECTORS.T, axis=1) for queries in (ASKED, moved)]
    found = [(rank[:, :10] == TARGETS[:, None]).any(axis=1).mean() for rank in ranks]
    test = report.quality["recall@10"]
    assert (test.second, test.first) == (pytest.approx(found[0]), pytest.approx(found[1]))
    assert report.quality["ndcg@1"].first == pytest.approx((ranks[1][:, 0] == TARGETS).mean())
    assert test.interval[0] > 0
    assert (report.items, report.embedded_again, report.deployed) == (len(IDS), 0, ("query tower 'tuned'",))
    assert "to embed again: 0 of 200 items" in str(report)
    assert report.to_dict()["quality"]["recall@10"]["interval"] == list(test.interval)


def test_of_grades_those_above_zero_are_relevant() -> None:
    ready = preprocessor()
    served = retriever(ready, model_of(ready))
    first, second = np.argsort(-ASKED[:6] @ VECTORS.T, axis=1)[:, :2].T
    graded = [{IDS[one]: 0.0, IDS[two]: 2.0} for one, two in zip(first, second, strict=True)]
    quality = tailoring_report(served, served, {"asked": ASKED[:6]}, graded, ks=(1, 2)).quality
    found = {name: test.first for name, test in quality.items()}
    wanted = {"ndcg@1": 0.0, "ndcg@2": 1 / np.log2(3), "recall@1": 0.0, "recall@2": 1.0}
    assert found == pytest.approx(wanted)
    with pytest.raises(ValueError, match="relevant ids for every query"):
        tailoring_report(served, served, {"asked": ASKED[:1]}, [{IDS[0]: 0.0}])


def test_a_reranker_is_what_is_deployed() -> None:
    ready = preprocessor()
    reranker = DeepReranker("asked", hidden=(4,)).to_reranker(20)
    before = retriever(ready, model_of(ready))
    after = retriever(ready, model_of(ready), reranker=reranker)
    report = tailoring_report(before, after, {"asked": ASKED[:5]}, RELEVANT[:5])
    assert report.deployed == ("re-ranker",)


def test_bad_arguments_are_refused() -> None:
    ready = preprocessor()
    served = retriever(ready, model_of(ready))
    with pytest.raises(ValueError, match="lengths of lists"):
        tailoring_report(served, served, {"asked": ASKED}, RELEVANT, ks=())
    with pytest.raises(ValueError, match="relevant ids for every query"):
        tailoring_report(served, served, {"asked": ASKED[:1]}, [[]])
    with pytest.raises(ValueError, match="there are 2 lists of them for {'asked': 3} queries"):
        tailoring_report(served, served, {"asked": ASKED[:3]}, RELEVANT[:2])
    with pytest.raises(ValueError, match="no query tower 'b'"):
        tailoring_report(served, served, {"asked": ASKED[:1]}, RELEVANT[:1], towers=("default", "b"))


def test_relevant_ids_of_another_type_or_of_no_item_are_refused() -> None:
    """They would be found by neither, and the report would say 0."""
    ready = preprocessor()
    before = retriever(ready, model_of(ready))
    numbers = [[int(target)] for target in TARGETS]
    with pytest.raises(TypeError, match="ids of this index are string. Received int64 ids"):
        tailoring_report(before, before, {"asked": ASKED}, numbers)
    unknown = [*RELEVANT[:-1], [*RELEVANT[-1], "gone", "d900"]]
    with pytest.raises(ValueError, match=r"Query 159 needs relevant ids.* Unknown are \['d900', 'gone'\] of 3"):
        tailoring_report(before, before, {"asked": ASKED}, unknown)
    after = retriever(ready, model_of(ready))
    after.delete([RELEVANT[3][0]])
    first = next(row for row, ids in enumerate(RELEVANT) if ids == RELEVANT[3])
    with pytest.raises(ValueError, match=f"Query {first} needs relevant ids, of items. Unknown are .* of 1"):
        tailoring_report(before, after, {"asked": ASKED}, RELEVANT)
