"""`tfdual index`: embeddings in, a saved index out that finds what NumPy finds."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfdual
from tests.cli.test_bad_input import check_refused
from tfdual import ColumnSchema, Schema, Tags
from tfdual.index import Index
from tfdual.index.recall import measured_recall
from tfdual.serving import ItemEmbeddings, embed_items

ROWS, DIM = 60, 5
MATRIX = np.random.default_rng(0).normal(size=(ROWS, DIM)).astype(np.float32)
QUERIES = np.random.default_rng(1).normal(size=(4, DIM)).astype(np.float32)


def write(path: Path, ids: list, rows: np.ndarray, kind: pa.DataType | None = None) -> None:
    vectors = pa.array(rows.tolist(), kind or pa.list_(pa.float32(), rows.shape[1]))
    pq.write_table(pa.table({"book": ids, "vector": vectors}), path, row_group_size=7)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three Parquet files, with string ids and lists of float64 in one of them."""
    folder = tmp_path_factory.mktemp("parts")
    for number in range(3):
        rows = slice(20 * number, 20 * number + 20)
        write(folder / f"{number}.parquet", [f"book {i}" for i in range(ROWS)[rows]], MATRIX[rows])
    return folder


WORDS = ["--id", "book", "--embedding", "vector"]


def check_finds_the_best(folder: Path, scores: np.ndarray) -> Index:
    """That the saved index finds the ids of the highest scores, `(4, items)`."""
    index = Index.load(folder)
    found = index.search(QUERIES, 3)
    best = np.argsort(-scores, axis=1)[:, :3]
    assert [[int(item.split()[1]) for item in row] for row in found.ids.numpy()] == best.tolist()
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, best, axis=1), rtol=1e-5)
    return index


def test_parquet_files_become_an_index(run_tfdual, parts: Path, tmp_path: Path) -> None:
    for number, source in enumerate((parts, f"{parts}/*.parquet")):
        out = tmp_path / "new" / str(number)
        finished = run_tfdual("index", source, "--out", out, *WORDS)
        assert (finished.code, finished.err) == (0, "")
        assert finished.out.startswith("BruteForce: 60 items of width 5, dot, exact, built in ")
        assert finished.out.endswith(f"saved in {out}\n")
        check_finds_the_best(out, QUERIES @ MATRIX.T)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["0", "1"]


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float64(), DIM)])
def test_lists_of_other_types_and_int32_ids(run_tfdual, kind: pa.DataType, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.array(range(100, 160), pa.int32()), MATRIX, kind)
    finished = run_tfdual("index", tmp_path / "a.parquet", "--out", tmp_path / "out", *WORDS, "--json")
    assert (finished.code, finished.err) == (0, "")
    found = Index.load(tmp_path / "out").search(QUERIES, 1).ids.numpy()[:, 0]
    assert found.tolist() == (100 + (QUERIES @ MATRIX.T).argmax(axis=1)).tolist()


def test_distance_and_dtype_are_those_asked_for(run_tfdual, parts: Path, tmp_path: Path) -> None:
    words = ["--distance", "cosine", "--dtype", "bfloat16", "--json"]
    finished = run_tfdual("index", parts, "--out", tmp_path / "out", *WORDS, *words)
    told = json.loads(finished.out)
    assert (finished.code, finished.err) == (0, "")
    assert {name: told[name] for name in ("kind", "items", "dim", "distance", "dtype", "path")} == {
        "kind": "BruteForce",
        "items": ROWS,
        "dim": DIM,
        "distance": "cosine",
        "dtype": "bfloat16",
        "path": str(tmp_path / "out"),
    }
    assert told["measured_recall"] > 0.9
    assert told["seconds"] > 0
    lengths = np.linalg.norm(QUERIES, axis=1)[:, None] * np.linalg.norm(MATRIX, axis=1)
    check_finds_the_best(tmp_path / "out", QUERIES @ MATRIX.T / lengths)


def test_scann_tells_its_recall_and_leaves(run_tfdual, tmp_path: Path) -> None:
    pytest.importorskip("scann")
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(20_500, 8)).astype(np.float32)
    write(tmp_path / "a.parquet", np.arange(20_500), rows)
    words = [tmp_path / "a.parquet", *WORDS, "--kind", "scann", "--target-recall", "0.8"]
    finished = run_tfdual("index", *words, "--out", tmp_path / "one", "--json")
    told = json.loads(finished.out)
    assert (finished.code, finished.err, told["kind"], told["leaves"]) == (0, "", "ScaNN", 286)
    assert told["target_recall"] == 0.8
    queries = rng.normal(size=(50, 8)).astype(np.float32)
    assert measured_recall(Index.load(tmp_path / "one"), queries) > 0.7
    finished = run_tfdual("index", *words, "--out", tmp_path / "two")
    assert "recall@10" in finished.out
    assert "of 286 leaves searched" in finished.out


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `embed_items` wrote, in two parts."""
    schema = Schema([ColumnSchema("user", [Tags.USER_ID]), ColumnSchema("book", [Tags.ITEM_ID])])
    rows = tfdual.read({"user": list(range(9)), "book": list(range(40, 49))}, schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([4])))
    model.build()
    folder = tmp_path_factory.mktemp("embedded") / "books"
    items = rows.select(schema.select_by_name("book"))
    embed_items(model, items, prep, folder, shard_rows=5)
    return folder


def test_a_folder_of_embed_items_needs_no_names_and_keeps_its_space(run_tfdual, embedded: Path, tmp_path: Path) -> None:
    finished = run_tfdual("index", embedded, "--out", tmp_path / "out", "--json")
    assert (finished.code, finished.err, json.loads(finished.out)["space"]) == (0, "", ItemEmbeddings(embedded).space)
    index = Index.load(tmp_path / "out")
    assert (index.space, index.ids.tolist()) == (ItemEmbeddings(embedded).space, list(range(40, 49)))
    matrix = np.concatenate([pq.read_table(path)["embedding"].to_pylist() for path in sorted(embedded.glob("*.pa*"))])
    found = index.search(np.ones((1, 4)), 1)
    assert found.ids.numpy().tolist() == [[40 + int(matrix.sum(axis=1).argmax())]]
    check_refused(run_tfdual("index", embedded, "--out", tmp_path / "two", "--id", "book"), "Leave --id")


def test_a_damaged_or_unfinished_folder_is_refused(run_tfdual, embedded: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    copied.mkdir()
    for path in embedded.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    content = bytearray((copied / "part-00001.parquet").read_bytes())
    content[60] ^= 1
    (copied / "part-00001.parquet").write_bytes(content)
    check_refused(run_tfdual("index", copied, "--out", tmp_path / "out"), "is damaged: part-00001.parquet")
    (copied / "part-00001.parquet").unlink()
    check_refused(run_tfdual("index", copied, "--out", tmp_path / "out"), "is damaged", "embed_items")
    assert [path.name for path in tmp_path.iterdir()] == ["copied"]


@pytest.mark.parametrize(
    "words, parts_of_message",
    [
        (["--kind", "faiss"], ["--kind is one of brute-force, scann", "faiss"]),
        (["--target-recall", "0.9"], ["--target-recall is for --kind scann"]),
        (["--kind", "scann", "--dtype", "int8"], ["--dtype is for --kind brute-force"]),
        (["--kind", "scann", "--target-recall", "1.5"], ["--target-recall is in (0, 1]", "1.5"]),
        (["--distance", "hamming"], ["hamming"]),
        (["--dtype", "float8"], ["dtype is one of", "float8"]),
        (["--id", "isbn"], ["holds no ids", "['isbn']", "book", "--id"]),
        (["--id", "vector"], ["Ids are integers or strings", "'vector'"]),
        (["--embedding", "book"], ["Embeddings are lists of one length", "'book'"]),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_made(
    run_tfdual, parts: Path, words: list[str], parts_of_message: list[str], tmp_path: Path
) -> None:
    check_refused(run_tfdual("index", parts, "--out", tmp_path / "out", *WORDS, *words), *parts_of_message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "ids, change, part",
    [
        (list(range(59)) + [0], lambda rows: rows, "0"),
        (list(range(-1, 59)), lambda rows: rows, "-1"),
        (
            list(range(60)),
            lambda rows: np.where(np.arange(60)[:, None] == 33, np.inf, rows),
            "row 33: the value is infinite",
        ),
        (list(range(59)) + [None], lambda rows: rows, "book"),
    ],
)
def test_bad_rows_leave_nothing(run_tfdual, ids: list, change, part: str, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", ids, change(MATRIX))
    finished = run_tfdual("index", tmp_path / "a.parquet", "--out", tmp_path / "new" / "out", *WORDS)
    check_refused(finished, part)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_lists_of_several_lengths_are_refused(run_tfdual, tmp_path: Path) -> None:
    lists = pa.array([[1.0, 2.0]] * 200 + [[1.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"book": list(range(201)), "vector": lists}), tmp_path / "late.parquet")
    late = run_tfdual("index", tmp_path / "late.parquet", "--out", tmp_path / "out", *WORDS)
    check_refused(late, "late.parquet", "vector")
    pq.write_table(pq.read_table(tmp_path / "late.parquet").slice(150), tmp_path / "soon.parquet")
    soon = run_tfdual("index", tmp_path / "soon.parquet", "--out", tmp_path / "out", *WORDS)
    check_refused(soon, "no lists of one length, as ['vector']")


def test_what_stands_there_stays(run_tfdual, parts: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    check_refused(run_tfdual("index", parts, "--out", tmp_path, *WORDS), "is there already")
    check_refused(run_tfdual("index", tmp_path, "--out", tmp_path / "out"), "holds no Parquet file")
    check_refused(run_tfdual("index", tmp_path / "nowhere", "--out", tmp_path / "out"), "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.slow
def test_a_process_prints_json_and_nothing_else(parts: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tfdual", "index", str(parts), "--out", str(tmp_path / "out"), *WORDS, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["items"] == ROWS
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout, len(again.stderr.splitlines())) == (2, "", 1)


@pytest.mark.parametrize(
    "name, first, parts_of_message",
    [
        ("id", -1, ["as ['id']", "some values are negative, and no id is", "It holds ['id', 'vector']"]),
        ("id", 2**64 - 1, ["as ['id']", "some values are beyond 2**63 - 1", "It holds ['id', 'vector']"]),
        ("key", 2**64 - 1, ["The column 'key' holds others: float64 beyond int64"]),
    ],
)
def test_ids_that_are_none_are_told_with_the_reason(
    run_tfdual, name: str, first: int, parts_of_message: list[str], tmp_path: Path
) -> None:
    ids = pa.array([first, *range(1, ROWS)], pa.int64() if first < 0 else pa.uint64())
    pq.write_table(pa.table({name: ids, "vector": MATRIX.tolist()}), tmp_path / "e.parquet")
    words = ["index", tmp_path / "e.parquet", "--out", tmp_path / "out", "--id", name, "--embedding", "vector"]
    check_refused(run_tfdual(*words), *parts_of_message)
