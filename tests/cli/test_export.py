"""`tfdual export`: a model file, a preprocessor and the items become the next version; or nothing does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfdual
from tests.cli.test_bad_input import check_refused
from tfdual import ColumnSchema, Schema, Tags
from tfdual.graph import Graph
from tfdual.models import LightGCNModel
from tfdual.serving import Versions

ITEMS = 12
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("recent", [Tags.USER], is_list=True),
        ColumnSchema("age", [Tags.USER, Tags.CONTINUOUS], {"nullable": True}, dtype="float32"),
        ColumnSchema("book_id", [Tags.ITEM_ID]),
        ColumnSchema("price", [Tags.ITEM, Tags.CONTINUOUS], dtype="float32"),
    ]
)
USERS = {
    "user_id": [f"u{i}" for i in range(ITEMS)],
    "recent": [[100 + i, 100][: i % 3] for i in range(ITEMS)],
    "age": pa.array([None if i % 5 == 0 else 20.0 + i for i in range(ITEMS)], pa.float32()),
}
BOOKS = {"book_id": list(range(100, 100 + ITEMS)), "price": pa.array([i / 2 for i in range(ITEMS)], pa.float32())}
SHOWN = {"title": [None, *(f"Book {i}" for i in range(1, ITEMS))], "year": list(range(1990, 1990 + ITEMS))}


class Trained(NamedTuple):
    model: tfdual.TwoTowerModel
    prep: tfdual.Preprocessor
    folder: Path

    @property
    def words(self) -> list:
        """The command without `--out`."""
        files = ["--preprocessor", self.folder / "prep", "--items", self.folder / "items.parquet"]
        return ["export", self.folder / "model.keras", *files]

    def retriever(self) -> tfdual.Retriever:
        """What Python makes of the same."""
        columns = [ColumnSchema("title", (), {"nullable": True}, "string"), ColumnSchema("year")]
        items = tfdual.read(self.folder / "items.parquet", Schema([*SCHEMA.select_by_tag(Tags.ITEM), *columns]))
        return self.model.to_retriever(items, None, self.prep, ["title"], ["year"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model, its preprocessor, items with columns that it doesn't read, and queries."""
    folder = tmp_path_factory.mktemp("trained")
    rows = tfdual.read(pa.table(USERS | BOOKS), SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA).adapt(rows)
    options = tfdual.EmbeddingOptions(embedding_dim_default=4, embeddings_initializers="glorot_normal")
    tower = tfdual.MLPBlock([4], no_activation_last_layer=True)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tower, embedding_options=options, post="l2-norm"))
    model.compile(optimizer=tfdual.LazyAdam(1e-2))
    model.fit(rows.batch(4).map(prep), verbose=0)
    model.save(folder / "model.keras")
    prep.save(folder / "prep")
    pq.write_table(pa.table(BOOKS | SHOWN), folder / "items.parquet")
    pq.write_table(pa.table(USERS), folder / "queries.parquet")
    return Trained(model, prep, folder)


QUERY = {"user_id": ["u3", "u4"], "recent": [[101], []]}


def test_the_version_answers_as_pythons_retriever_and_tells_itself(
    run_tfdual, trained: Trained, tmp_path: Path
) -> None:
    words = [*trained.words, "--out", tmp_path / "books", "--attributes", "title", "--filters", "year"]
    finished = run_tfdual(*words)
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.splitlines()[0].startswith(f"version 1, in {tmp_path / 'books' / '1'}, after ")
    assert finished.out.splitlines()[1:] == ["BruteForce: 12 items of width 4, dot, exact"]
    loaded, wanted = tfdual.Retriever.load(tmp_path / "books"), trained.retriever()
    found, expected = (one.search(QUERY, 5, filter="year >= 1995") for one in (loaded, wanted))
    assert found["id"].tolist() == expected["id"].tolist()
    assert found["score"] == pytest.approx(expected["score"], abs=1e-5)
    assert found["title"].tolist() == expected["title"].tolist()
    assert min(found["id"].ravel()) >= 105
    assert loaded.embed_item({"book_id": [100], "price": [1.0]}).shape == (1, 4)
    finished = run_tfdual(*words, "--no-item-tower", "--json")
    told = json.loads(finished.out)
    assert (told["version"], told["path"], told["canary"]) == (2, str(tmp_path / "books" / "2"), {})
    assert told["index"]["items"] == ITEMS
    with pytest.raises(ValueError, match="holds no item tower"):
        tfdual.Retriever.load(tmp_path / "books").embed_item({"book_id": [100], "price": [1.0]})


def test_a_saved_index_is_taken_as_it_is(run_tfdual, trained: Trained, tmp_path: Path) -> None:
    index = tfdual.BruteForce(dtype="bfloat16")
    items = tfdual.read(trained.folder / "items.parquet", SCHEMA.select_by_tag(Tags.ITEM))
    trained.model.to_retriever(items, index, trained.prep)
    index.save(tmp_path / "index")
    words = [*trained.words, "--index", tmp_path / "index", "--json"]
    told = json.loads(run_tfdual(*words, "--out", tmp_path / "books").out)
    assert (told["index"]["dtype"], told["embedding_space"]) == ("bfloat16", index.space)
    check_refused(run_tfdual(*words, "--out", tmp_path / "two", "--kind", "scann"), "--index is built already")
    tfdual.BruteForce().build(np.ones((ITEMS, 4)), list(range(100, 100 + ITEMS))).save(tmp_path / "other")
    words[words.index(tmp_path / "index")] = tmp_path / "other"
    check_refused(run_tfdual(*words, "--out", tmp_path / "two"), "of the space", "unknown")
    assert not (tmp_path / "two").exists()


def test_the_kind_of_index_is_the_one_asked_for(run_tfdual, trained: Trained, tmp_path: Path) -> None:
    pytest.importorskip("scann")
    told = run_tfdual(*trained.words, "--out", tmp_path / "a", "--kind", "scann", "--target-recall", "0.9", "--json")
    assert json.loads(told.out)["index"] | {"kind": "ScaNN", "target_recall": 0.9} == json.loads(told.out)["index"]
    told = run_tfdual(*trained.words, "--out", tmp_path / "b", "--dtype", "int8", "--json")
    assert json.loads(told.out)["index"]["dtype"] == "int8"


def test_a_canary_is_tried_and_told(run_tfdual, trained: Trained, tmp_path: Path) -> None:
    canary = ["--canary", trained.folder / "queries.parquet", "--min-recall", "0.9", "--max-latency-ms", "100000"]
    finished = run_tfdual(*trained.words, "--out", tmp_path / "books", *canary)
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.splitlines()[2].startswith("12 canary queries: recall@10 1, median latency ms ")
    told = json.loads(run_tfdual(*trained.words, "--out", tmp_path / "books", *canary, "--json").out)
    assert (told["canary"]["queries"], told["canary"]["recall@10"]) == (ITEMS, 1.0)
    assert 0 < told["canary"]["median_latency_ms"] < 100_000


def test_a_canary_that_fails_publishes_nothing(run_tfdual, trained: Trained, tmp_path: Path) -> None:
    canary = ["--canary", trained.folder / "queries.parquet", "--max-latency-ms", "0.0001"]
    out = tmp_path / "books"
    check_refused(run_tfdual(*trained.words, "--out", out, *canary), "--max-latency-ms=0.0001", "Nothing was published")
    assert not out.exists() or Versions(out).numbers() == []
    check_refused(run_tfdual(*trained.words, "--out", out, *canary[2:]), "--canary FILE")


@pytest.mark.parametrize(
    "words, parts",
    [
        (["--attributes", "author"], ["lacks the columns ['author']", "title"]),
        (["--filters", "genre", "--attributes", "title"], ["lacks the columns ['genre']"]),
        (["--kind", "faiss"], ["--kind is one of brute-force, scann"]),
        (["--index", "nowhere"], ["no folder nowhere"]),
        (["--items", "nowhere.parquet"], ["nowhere.parquet"]),
        (["--preprocessor", "nowhere"], ["nowhere"]),
        (["--canary", "nowhere.parquet"], ["nowhere.parquet"]),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_made(
    run_tfdual, trained: Trained, words: list[str], parts: list[str], tmp_path: Path
) -> None:
    check_refused(run_tfdual(*trained.words, "--out", tmp_path / "books", *words), *parts)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_model_of_the_library_is_refused(run_tfdual, trained: Trained, tmp_path: Path) -> None:
    other = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    content = (trained.folder / "model.keras").read_bytes()
    (tmp_path / "half.keras").write_bytes(content[: len(content) // 2])
    (tmp_path / "middle.keras").write_bytes(content[:300] + b"\0" * 200 + content[500:])
    (tmp_path / "notes.txt").write_text("hello")
    for name, part in {
        "other.keras": "holds a Sequential. Give a model of tfdual.models",
        "half.keras": "is no .keras file, or damaged",
        "middle.keras": "can't be loaded",
        "notes.txt": "is no .keras file",
        "nowhere.keras": "no model file",
    }.items():
        words = ["export", tmp_path / name, *trained.words[2:], "--out", tmp_path / "books"]
        check_refused(run_tfdual(*words), name, part)
    assert not (tmp_path / "books").exists()


def test_an_item_that_stands_twice_is_refused(run_tfdual, trained: Trained, tmp_path: Path) -> None:
    table = pa.table(BOOKS)
    pq.write_table(pa.concat_tables([table, table.slice(3, 1)]), tmp_path / "items.parquet")
    words = [*trained.words, "--items", tmp_path / "items.parquet", "--out", tmp_path / "books"]
    check_refused(run_tfdual(*words), "Item ids must differ", "book_id")
    assert not (tmp_path / "books").exists()


@pytest.mark.slow
def test_a_process_exports_and_a_second_one_answers(trained: Trained, tmp_path: Path) -> None:
    def run(*words: object) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "tfdual", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    code, out, err = run(*trained.words, "--out", tmp_path / "books", "--attributes", "title", "--json")
    assert (code, err, json.loads(out)["version"]) == (0, "", 1)
    code, out, err = run("query", tmp_path / "books", "user_id=u3", "recent=101", "-k", "3", "--json")
    assert (code, err) == (0, "")
    query = {"user_id": ["u3"], "recent": [[101]]}
    assert [answer["id"] for answer in json.loads(out)] == trained.retriever().search(query, 3)["id"][0].tolist()


def exported(run_tfdual, trained: Trained, items: Path, *attributes: str) -> dict[int, tuple]:
    """Id -> attributes of all items, from a version of its own."""
    out = items.parent / "-".join((items.suffix[1:], *attributes))
    words = [word for name in attributes for word in ("--attributes", name, "--filters", name)]
    finished = run_tfdual(*trained.words, "--items", items, "--out", out, *words)
    assert (finished.code, finished.err) == (0, "")
    found = tfdual.Retriever.load(out).search({name: values[:1] for name, values in QUERY.items()}, ITEMS)
    values = zip(*(found[name][0].tolist() for name in attributes), strict=True)
    return dict(zip(found["id"][0].tolist(), values, strict=True))


def test_an_attribute_that_is_no_id_by_its_values_keeps_its_type(run_tfdual, trained: Trained, tmp_path: Path) -> None:
    parents, weights = [-1, *range(1, ITEMS)], [i / 4 for i in range(ITEMS)]
    table = pa.table(BOOKS | {"parent_id": parents, "weight_id": weights, "gap_id": [None, -1, *range(2, ITEMS)]})
    pq.write_table(table, tmp_path / "items.parquet")
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    for items in (tmp_path / "items.parquet", tmp_path / "items.jsonl"):
        found = exported(run_tfdual, trained, items, "parent_id", "weight_id", "gap_id")
        assert {book: values[:2] for book, values in found.items()} == {
            100 + i: (parents[i], weights[i]) for i in range(ITEMS)
        }
        assert np.isnan(found[100][2])
        assert found[101][2] == -1


def test_dates_of_a_csv_are_attributes_in_seconds(run_tfdual, trained: Trained, tmp_path: Path) -> None:
    lines = [f"{100 + i},{i / 2},1970-01-{i + 1:02}" for i in range(ITEMS)]
    (tmp_path / "items.csv").write_text("\n".join(["book_id,price,rel", *lines]) + "\n")
    found = exported(run_tfdual, trained, tmp_path / "items.csv", "rel")
    assert found == {100 + i: (i * 86_400,) for i in range(ITEMS)}


def test_an_attribute_that_can_not_be_taken_is_told_with_the_reason(
    run_tfdual, trained: Trained, tmp_path: Path
) -> None:
    large = pa.array([2**64 - 1, *range(1, ITEMS)], pa.uint64())
    pq.write_table(pa.table(BOOKS | {"parent_id": large, "box": [{"x": 1}] * ITEMS}), tmp_path / "items.parquet")
    words = [*trained.words, "--items", tmp_path / "items.parquet", "--out", tmp_path / "books", "--attributes"]
    told = "The column 'parent_id' of", "can't be taken", "some values are beyond 2**63 - 1", "strings"
    check_refused(run_tfdual(*words, "parent_id"), *told)
    check_refused(run_tfdual(*words, "box"), "The column 'box' of", "features are numbers, bools, strings and lists")
    assert not (tmp_path / "books").exists()


def test_delimited_lists_of_a_csv_with_the_index_of_a_frame_are_filtered_by(
    run_tfdual, trained: Trained, tmp_path: Path
) -> None:
    genres = [["war|drama", "drama", "", "comedy|war"][i % 4] for i in range(ITEMS)]
    frame = {**pa.table(BOOKS).to_pydict(), "genres": genres, "title": [f"Book {i}" for i in range(ITEMS)]}
    pd.DataFrame(frame).to_csv(tmp_path / "items.csv")
    words = ["--items", tmp_path / "items.csv", "--filters", "genres", "--attributes", "title"]
    finished = run_tfdual(*trained.words, *words, "--out", tmp_path / "books")
    assert (finished.code, finished.err) == (0, "")
    found = tfdual.Retriever.load(tmp_path / "books").search(QUERY, 6, filter="'war' in genres")
    war = {100 + i: f"Book {i}" for i in range(ITEMS) if i % 4 in (0, 3)}
    for ids, titles in zip(found["id"].tolist(), found["title"].tolist(), strict=True):
        assert dict(zip(ids, titles, strict=True)) == war


def test_a_graph_is_exported_with_the_columns_that_new_users_are_known_by(run_tfdual, tmp_path: Path) -> None:
    columns = [
        ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
        ColumnSchema("recent", [Tags.USER], {"domain": {"name": "book_id"}}, is_list=True),
        ColumnSchema("book_id", [Tags.ITEM_ID]),
    ]
    schema = Schema(columns)
    table = pa.table({name: USERS[name] for name in ("user_id", "recent")} | {"book_id": BOOKS["book_id"]})
    rows = tfdual.read(table, schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    graph = Graph.from_rows(rows.batch(4).map(prep), prep.schema)
    model = LightGCNModel(graph, prep.schema, 4, 2, neighbours=["recent"])
    model.build()
    model.save(tmp_path / "model.keras")
    prep.save(tmp_path / "prep")
    pq.write_table(table.select(["book_id"]), tmp_path / "items.parquet")
    pq.write_table(table.select(["user_id", "recent"]), tmp_path / "queries.parquet")
    words = ["--preprocessor", tmp_path / "prep", "--items", tmp_path / "items.parquet"]
    canary = ["--canary", tmp_path / "queries.parquet", "--min-recall", "1", "--out", tmp_path / "books"]
    finished = run_tfdual("export", tmp_path / "model.keras", *words, *canary)
    assert (finished.code, finished.err) == (0, "")
    asked = {"user_id": ["someone new"], "recent": [[101]]}
    found = tfdual.Retriever.load(tmp_path / "books").search(asked, k=3)
    wanted = model.to_retriever(rows.select(schema.select_by_name("book_id")), None, prep).search(asked, k=3)
    assert found["id"].tolist() == wanted["id"].tolist()
