"""One call from frozen vectors to a compressed index; what its report says is counted again by NumPy."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.tailoring.compression.frozen import frozen_parts, nearest, shared, side_by_side, unit
from tfdual.index import BruteForce, Index
from tfdual.tailoring.compression import Compression, CompressionOptions, EmbeddingCompressor, compress

ROWS = 300
PARTS, QUERIES = frozen_parts(ROWS, 1), frozen_parts(50, 2)
IDS = [f"doc{i}" for i in range(ROWS)]
OPTIONS = CompressionOptions(epochs=20, learning_rate=3e-3, k=5)
BEST = nearest(side_by_side(QUERIES), side_by_side(PARTS), 5)
RELEVANT = [[IDS[position] for position in row[:2]] for row in BEST]


def made(**changes: object) -> Compression:
    arguments = {"queries": QUERIES, "relevant": RELEVANT, "options": OPTIONS} | changes
    return compress(PARTS, IDS, EmbeddingCompressor(16, widths=[8, 16]), **arguments)


@pytest.fixture(scope="module")
def compression() -> Compression:
    return made(width=8, spaces={"body": "b", "title": "t"})


def test_the_index_finds_the_nearest_compressed_items_by_their_ids(compression: Compression) -> None:
    items, asked = (compression.compressor.encode(parts, 8) for parts in (PARTS, QUERIES))
    found = compression.index.search(asked, 5)
    assert [[item.decode() for item in row] for row in found.ids.numpy().tolist()] == [
        [IDS[position] for position in row] for row in nearest(asked, items, 5)
    ]
    assert compression.index.dim == 8


def test_the_report_is_what_numpy_counts(compression: Compression) -> None:
    report = compression.report
    assert (report.k, report.items, report.queries, report.width) == (5, ROWS, 50, 40)
    for width in (8, 16):
        items, asked = (compression.compressor.encode(parts, width) for parts in (PARTS, QUERIES))
        row = report.row(width)
        assert row.recall == pytest.approx(shared(nearest(asked, items, 5), BEST), abs=0.005)
        assert row.bytes == 4 * width
        assert report.row(width, "learned, int8").bytes == width + 4
        assert report.row(width, "learned, binary").bytes == width // 8 + 4
        assert report.row(width, "learned, int8").recall == pytest.approx(row.recall, abs=0.05)
    assert report.ndcg == 1.0  # the labels are the exact nearest
    with pytest.raises(KeyError, match="no 'PCA' at width 12"):
        report.row(12, "PCA")


def test_pca_of_the_report_is_that_of_scikit_learn(compression: Compression) -> None:
    from sklearn.decomposition import PCA

    other = PCA(16, svd_solver="full").fit(side_by_side(PARTS))
    items, asked = (other.transform(side_by_side(parts)) for parts in (PARTS, QUERIES))
    for width in (8, 16):
        expected = shared(nearest(asked[:, :width], items[:, :width], 5), BEST)
        assert compression.report.row(width, "PCA").recall == pytest.approx(expected, abs=0.005)
        assert compression.report.row(width, "random projection").recall < expected


def test_without_queries_items_are_asked_and_do_not_find_themselves() -> None:
    compression = made(queries=None, relevant=None)
    items, best = compression.compressor.encode(PARTS), nearest(side_by_side(PARTS), side_by_side(PARTS), 6)[:, 1:]
    assert compression.report.queries == ROWS
    assert compression.report.ndcg is None
    expected = shared(nearest(items, items, 6)[:, 1:], best)
    assert compression.report.row(16).recall == pytest.approx(expected, abs=0.005)
    assert "NDCG" not in str(compression.report)


def test_the_report_reads_as_a_table_json_and_a_picture(compression: Compression, tmp_path: Path) -> None:
    lines = str(compression.report).splitlines()
    assert lines[0] == "300 items of 40 numbers, 160 bytes; 50 queries"
    assert lines[2].split()[:2] == ["width", "learned"]
    assert lines[3].split()[:3] == ["8", f"{compression.report.row(8).recall:.4f}", "(32)"]
    told = json.loads(json.dumps(compression.report.to_dict()))
    assert told["rows"][0] == {
        "method": "learned",
        "width": 8,
        "bytes": 32,
        "recall": compression.report.row(8).recall,
        "ndcg": compression.report.row(8).ndcg,
    }
    compression.report.plot(tmp_path / "kept.png")
    assert (tmp_path / "kept.png").read_bytes()[:4] == b"\x89PNG"


def test_a_trained_compressor_is_taken_as_it_is(compression: Compression) -> None:
    before = compression.compressor.encode(PARTS)
    again = compress(PARTS, IDS, compression.compressor, index=BruteForce(dtype="binary"), options=OPTIONS)
    np.testing.assert_array_equal(again.compressor.encode(PARTS), before)
    assert again.index.describe()["dtype"] == "binary"
    assert again.index.dim == 16


def test_of_grades_those_above_zero_are_relevant(compression: Compression) -> None:
    few = {"queries": QUERIES, "options": OPTIONS}
    found, wanted = (
        compress(PARTS, IDS, compression.compressor, relevant=relevant, **few).report
        for relevant in (
            [{IDS[row[0]]: 2.0, IDS[row[1]]: 0.0, IDS[row[2]]: 0.5} for row in BEST],
            [[IDS[row[0]], IDS[row[2]]] for row in BEST],
        )
    )
    assert found.ndcg == wanted.ndcg == pytest.approx(1.5 / (1 + 1 / np.log2(3)))  # places 1 and 3
    with pytest.raises(ValueError, match="Query 0 needs relevant ids"):
        compress(PARTS, IDS, compression.compressor, relevant=[{"doc0": 0.0}, *RELEVANT[1:]], **few)


def titles_alone(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Queries unlike the items: both their parts are of a title."""
    title = frozen_parts(rows, seed)["title"]
    return {"body": title @ np.random.default_rng(0).normal(size=(16, 24)).astype(np.float32), "title": title}


def test_queries_like_those_learned_from_find_more_of_their_nearest() -> None:
    changes = {"queries": titles_alone(100, 4), "relevant": None}
    changes["options"] = CompressionOptions(epochs=60, batch_size=200, k=5)
    without, learned = (made(**changes, training_queries=q).report for q in (None, titles_alone(400, 5)))
    for width in (8, 16):
        assert learned.row(width).recall > without.row(width).recall + 0.05


def all_alike(vectors: np.ndarray, teacher_vectors: np.ndarray) -> np.ndarray:
    return (vectors - vectors[:1]) ** 2


def test_training_queries_of_a_compressor_that_learns_no_more_are_refused(compression: Compression) -> None:
    with pytest.raises(ValueError, match="is taken as it is. Leave training_queries out"):
        compress(PARTS, IDS, compression.compressor, training_queries=QUERIES)
    with pytest.raises(TypeError, match="base_loss takes `asking`"):
        compress(**bad(compressor=EmbeddingCompressor(8, base_loss=all_alike), training_queries=QUERIES))


def test_one_seed_gives_one_compressor() -> None:
    few = {"vectors": PARTS, "ids": IDS, "options": CompressionOptions(epochs=2, batch_size=100)}
    made = [compress(compressor=EmbeddingCompressor(8), **few).index.space for _ in range(2)]
    assert made[0] == made[1]


def bad(**changes: object) -> dict:
    arguments = {"vectors": PARTS, "ids": IDS, "compressor": EmbeddingCompressor(16, widths=[8, 16])}
    return arguments | changes


TWICE = [*IDS[:-1], IDS[0]]
SHORT = PARTS | {"title": PARTS["title"][:-1]}
HOLDS = BruteForce().build(np.eye(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (bad(vectors=SHORT), "have parts of"),
        (bad(ids=TWICE), "'doc0' stands twice"),
        (bad(ids=IDS[:-1]), "Received 300 rows of vectors and 299 ids"),
        (bad(compressor=EmbeddingCompressor(41, widths=[41])), "multiples of 8.*Received \\[41\\]"),
        (bad(compressor=EmbeddingCompressor(48, widths=[48])), "40 wide together, and are made no wider"),
        (bad(width=12), "cut to the widths"),
        (bad(index=HOLDS), "holds items already"),
        (bad(options=CompressionOptions(k=300)), "below the 300 items. Received 300"),
        (bad(queries={"body": QUERIES["body"]}), "The queries have parts of the widths"),
        (bad(training_queries={"body": QUERIES["body"]}), "The training queries have parts of the widths"),
        (bad(relevant=RELEVANT), "Received 0 queries and 50 lists"),
        (bad(queries=QUERIES, relevant=RELEVANT[:-1]), "Received 50 queries and 49 lists"),
        (bad(queries=QUERIES, relevant=[*RELEVANT[:-1], ["doc1", "film"]]), r"Query 49 .* Unknown are \['film'\] of 2"),
        (bad(queries=QUERIES, relevant=[*RELEVANT[:-1], []]), "Query 49 needs relevant ids"),
    ],
)
def test_mistakes_are_named_before_any_work_starts(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compress(**arguments)
    assert not hasattr(arguments["compressor"], "optimizer")


def test_an_index_of_another_width_compressor_or_part_is_not_joined(compression: Compression) -> None:
    compressor, index = compression.compressor, compression.index
    spaces = compression.spaces
    assert index.space == compressor.embedding_space(8, spaces)
    other = EmbeddingCompressor(16, widths=[8, 16]).start_from_pca(PARTS)
    for joined in (
        lambda: compressor.to_retriever(index, 16, spaces),
        lambda: compressor.to_retriever(index, 8),
        lambda: compressor.to_retriever(index, 8, spaces | {"body": "c"}),
        lambda: other.to_retriever(index, 8, spaces),
    ):
        with pytest.raises(ValueError, match="would mean nothing"):
            joined()
    with pytest.raises(ValueError, match="The index holds no item yet"):
        compressor.to_retriever(BruteForce())


def test_the_index_is_saved_with_its_space(compression: Compression, tmp_path: Path) -> None:
    loaded = Index.load(compression.index.save(tmp_path / "index"))
    retriever = compression.compressor.to_retriever(loaded, 8, compression.spaces)
    found = retriever.search({name: part[:3] for name, part in QUERIES.items()}, k=4)
    assert (
        found["id"].tolist()
        == compression.index.search(compression.compressor.encode(QUERIES, 8)[:3], 4).ids.numpy().astype(str).tolist()
    )
    items, asked = (compression.compressor.encode(parts, 8) for parts in (PARTS, QUERIES))
    np.testing.assert_allclose(found["score"], -np.sort(-(unit(asked)[:3] @ items.T))[:, :4], atol=1e-5)
