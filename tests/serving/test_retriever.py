"""Raw queries in, ids out: the same by hand, here, from disk, and in a process that never saw the training code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.serving import Versions

ITEMS = 60

FRESH_TFDUAL = """
import json, sys
import tfdual
queries = json.load(open(sys.argv[2]))
found = tfdual.Retriever.load(sys.argv[1]).search(queries, k=5)
print(json.dumps({name: values.tolist() for name, values in found.items()}))
"""
FRESH_TENSORFLOW = """
import json, sys
import tensorflow as tf
import tensorflow_text
import scann
assert "tfdual" not in sys.modules
queries = json.load(open(sys.argv[2]))
for name, empty in (("history", -1), ("interests", "")):
    longest = max(map(len, queries[name]))
    queries[name] = [row + [empty] * (longest - len(row)) for row in queries[name]]
search = tf.saved_model.load(sys.argv[1] + "/1").signatures["serving_default"]
types = search.structured_input_signature[1]
options = {"k": tf.constant([5]), "exclude": tf.zeros([1, 0], tf.int64)}
found = search(**options, **{name: tf.constant(value, types[name].dtype) for name, value in queries.items()})
plain = {name: values.numpy().tolist() for name, values in found.items()}
plain["title"] = [[title.decode() for title in row] for row in plain["title"]]
print(json.dumps(plain))
"""


@pytest.fixture(scope="module")
def by_hand(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, prep: tfdual.Preprocessor, queries: dict[str, list]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and ids of the whole corpus, best first: towers called directly, ranked by NumPy."""
    query = dict(queries) | {
        "history": tf.ragged.constant(queries["history"], dtype=tf.int64),
        "interests": tf.ragged.constant(queries["interests"], dtype=tf.string),
    }
    query = {name: value if isinstance(value, tf.RaggedTensor) else tf.constant(value) for name, value in query.items()}
    (batch,) = items.batch(1000)
    scores = model.encode_query(prep(query)).numpy() @ model.encode_item(prep(batch)).numpy().T
    order = np.argsort(-scores, axis=1)
    return np.take_along_axis(scores, order, axis=1), batch["item_id"].numpy()[order]


def same_but_for_ties(found: dict, by_hand: tuple[np.ndarray, np.ndarray], k: int) -> None:
    """The best `k` of `by_hand`; items whose scores differ by rounding may change places."""
    scores, ids = by_hand
    ids_found, scores_found = np.array(found["id"]), np.array(found["score"])
    assert ids_found.shape == scores_found.shape == (len(ids), k)
    np.testing.assert_allclose(scores_found, scores[:, :k], atol=1e-5)
    for row_found, row_ids, row_scores in zip(ids_found, ids, scores, strict=True):
        score_of = dict(zip(row_ids.tolist(), row_scores.tolist(), strict=True))
        assert len(set(row_found.tolist())) == k
        np.testing.assert_allclose([score_of[i] for i in row_found.tolist()], row_scores[:k], atol=1e-5)


@pytest.fixture(scope="module")
def loaded(exported: Path) -> Retriever:
    return Retriever.load(exported)


@pytest.mark.parametrize("which", ["retriever", "loaded"])
@pytest.mark.parametrize("k", [1, 5, 60, 500])
def test_searching_is_preprocessing_query_tower_and_top_k(
    which: str, k: int, by_hand: tuple, queries: dict[str, list], request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(which).search(queries, k=k)
    same_but_for_ties(found, by_hand, min(k, ITEMS))
    assert found["title"].tolist() == [[f"Título {i - 2**53}" for i in row] for row in found["id"].tolist()]


def test_ten_items_come_unless_k_is_given(loaded: Retriever, retriever: Retriever, queries: dict[str, list]) -> None:
    assert loaded.search(queries)["id"].shape == retriever.search(queries)["id"].shape == (3, 10)


def test_scann_finds_what_brute_force_finds(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, prep: tfdual.Preprocessor, by_hand: tuple, queries: dict
) -> None:
    pytest.importorskip("scann")
    found = model.to_retriever(items, index=tfdual.ScaNN(), preprocessor=prep).search(queries, k=7)
    same_but_for_ties(found, by_hand, 7)


def test_items_that_are_model_ready_get_their_raw_ids_back(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, prep: tfdual.Preprocessor, by_hand: tuple, queries: dict
) -> None:
    same_but_for_ties(model.to_retriever(items.batch(16).map(prep), preprocessor=prep).search(queries, k=7), by_hand, 7)


def test_every_query_of_a_large_batch_is_answered_as_if_alone(loaded: Retriever, queries: dict[str, list]) -> None:
    many = {name: (values * 334)[:1000] for name, values in queries.items()}
    found = loaded.search(many, k=4)
    assert found["id"].shape == (1000, 4)
    for i in (0, 1, 2, 998):
        alone = loaded.search({name: values[i : i + 1] for name, values in many.items()}, k=4)
        np.testing.assert_array_equal(found["id"][i], alone["id"][0])
        np.testing.assert_allclose(found["score"][i], alone["score"][0], atol=1e-5)


def test_no_query_has_no_answers(loaded: Retriever, queries: dict[str, list]) -> None:
    none: dict[str, list] = {name: [] for name in queries}
    assert loaded.search(none)["id"].shape[0] == 0
    assert loaded.embed_query(none).shape == (0, 8)


def test_embeddings_of_queries_are_those_of_the_tower(
    retriever: Retriever, loaded: Retriever, queries: dict[str, list]
) -> None:
    embeddings = loaded.embed_query(queries)
    assert embeddings.shape == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(embeddings, retriever.embed_query(queries), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("script", [FRESH_TFDUAL, FRESH_TENSORFLOW], ids=["tfdual", "tensorflow"])
def test_a_fresh_process_gives_the_same_answers(
    script: str,
    model: tfdual.TwoTowerModel,
    items: tfdual.Rows,
    prep: tfdual.Preprocessor,
    by_hand: tuple,
    queries: dict[str, list],
    tmp_path: Path,
) -> None:
    pytest.importorskip("scann")
    built = model.to_retriever(items, index=tfdual.ScaNN(), preprocessor=prep, attributes=["title"])
    built.export(tmp_path / "model")
    (tmp_path / "queries.json").write_text(json.dumps(queries))
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model"), str(tmp_path / "queries.json")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout.splitlines()[-1])
    same_but_for_ties(found, by_hand, 5)
    assert found["title"][0] == [f"Título {i - 2**53}" for i in found["id"][0]]


def test_the_description_tells_what_the_model_is(loaded: Retriever, prep: tfdual.Preprocessor) -> None:
    assert loaded.query_schema == prep.input_schema.select_by_tag(Tags.USER)
    about = loaded.description
    sizes = {"kind": "BruteForce", "items": 60, "dim": 8, "fresh": 0, "deleted": 0}
    assert about["index"] == sizes | {"distance": "dot", "dtype": "float32", "exact": True}
    assert (about["item_id"], about["attributes"], about["report"]) == ("item_id", ["title"], {"recall@10": 0.5})


def test_the_newest_version_is_loaded_from_a_folder_unless_another_is_named(
    retriever: Retriever, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        retriever.export(tmp_path, report={"number": number})
    Versions(tmp_path).promote(2)

    def number_of(*words: str | int) -> int:
        return Retriever.load(tmp_path, *words).description["report"]["number"]

    assert (number_of(), number_of("latest"), number_of("stable"), number_of(1)) == (3, 3, 2, 1)
    assert Retriever.load(tmp_path / "1").description["report"] == {"number": 1}
    for version in ("canary", 4, "2"):
        with pytest.raises(ValueError, match=r"versions: 1, 2, 3|holds 1, 2, 3"):
            Retriever.load(tmp_path, version)


def test_exporting_again_writes_the_next_version(retriever: Retriever, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "movies"
    assert [retriever.export(folder).name, retriever.export(str(folder)).name] == ["1", "2"]
    assert sorted(child.name for child in folder.iterdir()) == ["1", "2"]


def test_an_export_that_fails_half_way_leaves_nothing(
    retriever: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = tf.saved_model.save

    def fail(*args, **kwargs) -> None:
        save(*args, **kwargs)
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        retriever.export(tmp_path / "models" / "movies")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_an_os_error(retriever: Retriever, tmp_path: Path) -> None:
    (tmp_path / "movies").write_text("mine")
    with pytest.raises(OSError, match="movies"):
        retriever.export(tmp_path / "movies")
    assert [child.name for child in tmp_path.iterdir()] == ["movies"]


def test_a_loaded_retriever_is_not_exported_again(loaded: Retriever, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not exported again. Copy its folder"):
        loaded.export(tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", ["retriever", "loaded"])
def test_bad_queries_are_refused_by_name(which: str, queries: dict[str, list], request: pytest.FixtureRequest) -> None:
    search = request.getfixturevalue(which).search
    with pytest.raises(ValueError, match="k is at least 1. Received 0"):
        search(queries, k=0)
    with pytest.raises(ValueError, match=r"doesn't know the columns \['item_id'\]"):
        search(queries | {"item_id": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"lacks the columns \['age'\]"):
        search({name: values for name, values in queries.items() if name != "age"})
    with pytest.raises(ValueError, match="'history' takes a list of lists of int64"):
        search(queries | {"history": [["a"], [], []]})
    with pytest.raises(ValueError, match="same number of rows"):
        search(queries | {"age": [1.0]})


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
@pytest.mark.parametrize(
    "part", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_a_truncated_model_is_one_clear_error(part: str, keep: float, exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "model"
    shutil.copytree(exported / "1", path)
    content = (path / part).read_bytes()
    (path / part).write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ValueError, match=r"The model .* is damaged and can't be loaded: .+ Export it again") as caught:
        Retriever.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["saved_model.pb", "variables", "variables/variables.index"])
def test_a_model_that_lacks_a_part_is_one_clear_error(part: str, exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "model"
    shutil.copytree(exported / "1", path)
    shutil.rmtree(path / part) if (path / part).is_dir() else (path / part).unlink()
    with pytest.raises(ValueError, match=r"is damaged and can't be loaded: .+ Export it again"):
        Retriever.load(path)


def test_another_saved_model_under_our_description_is_refused(exported: Path, tmp_path: Path) -> None:
    foreign = tf.Module()
    foreign.run = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None])])
    tf.saved_model.save(foreign, str(tmp_path / "model"), signatures={"serving_default": foreign.run})
    with pytest.raises(ValueError, match="is no tfdual model"):
        Retriever.load(tmp_path / "model")
    shutil.copytree(exported / "1" / "assets.extra", tmp_path / "model" / "assets.extra")
    with pytest.raises(ValueError, match="damaged and can't be loaded"):
        Retriever.load(tmp_path / "model")


def test_a_missing_model_and_a_broken_description_are_named(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no model directory"):
        Retriever.load(tmp_path / "nowhere")
    shutil.copytree(exported / "1", tmp_path / "model")
    (tmp_path / "model" / "assets.extra" / "tfdual.json").write_text("{")
    with pytest.raises(ValueError, match=r"tfdual\.json is damaged"):
        Retriever.load(tmp_path / "model")


def test_item_ids_that_repeat_are_refused(
    model: tfdual.TwoTowerModel, rows: tfdual.Rows, prep: tfdual.Preprocessor
) -> None:
    with pytest.raises(ValueError, match=r"Item ids must differ; the column 'item_id' repeats some.*unique"):
        model.to_retriever(rows, preprocessor=prep)


def test_a_retriever_needs_its_preprocessor_and_single_valued_attributes(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, rows: tfdual.Rows, prep: tfdual.Preprocessor
) -> None:
    with pytest.raises(ValueError, match="Pass preprocessor="):
        model.to_retriever(items)
    with pytest.raises(ValueError, match="attribute 'history' must be a single-valued column"):
        model.to_retriever(rows.unique(by="item_id"), preprocessor=prep, attributes=["history"])
    looks = items.schema + Schema([ColumnSchema("look", [Tags.ITEM], dtype="float32", dims=(None, 3))])
    seen = tfdual.read({"item_id": [1, 2], "title": ["a", "b"], "look": np.ones((2, 3), np.float32)}, looks)
    for more in ({"attributes": ["look"]}, {"filters": ["look"]}, {"attributes": ["look"], "filters": ["look"]}):
        with pytest.raises(ValueError, match="'look'.* must be a "):
            model.to_retriever(seen, preprocessor=prep, **more)
    with pytest.raises(ValueError, match="attribute 'year' must be a single-valued column"):
        model.to_retriever(items, preprocessor=prep, attributes=["year"])


def test_strings_as_ids_come_back_as_strings() -> None:
    schema = tfdual.Schema(
        [
            tfdual.ColumnSchema("user_id", [Tags.USER_ID], dtype="string"),
            tfdual.ColumnSchema("item_id", [Tags.ITEM_ID], dtype="string"),
        ]
    )
    rows = tfdual.read(pa.table({"user_id": ["a", "b"], "item_id": ["é1", "x\u20ac"]}), schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([4])))
    model.build()
    found = model.to_retriever(rows.select(schema.select_by_tag(Tags.ITEM)), preprocessor=prep).search(
        {"user_id": ["a"]}
    )
    assert sorted(found["id"][0].tolist()) == ["x\u20ac", "é1"]


@pytest.mark.parametrize("number", [-1, -7])
def test_an_id_that_read_refuses_is_not_added(number: int, retriever: Retriever) -> None:
    with pytest.raises(ValueError, match=f"Ids of the column 'item_id' are 0 or more. Received {number}"):
        retriever.upsert({"item_id": [5, number], "title": ["a", "b"]})
    assert {5, number}.isdisjoint(retriever.item_ids().tolist())


def test_an_id_that_the_domain_allows_is_added(tmp_path: Path) -> None:
    item = tfdual.ColumnSchema("item", [Tags.ITEM_ID], {"domain": {"name": "item", "min": -9}})
    schema = tfdual.Schema([tfdual.ColumnSchema("user", [Tags.USER_ID]), item])
    rows = tfdual.read({"user": [1, 2], "item": [-8, 6]}, schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([4])))
    retriever = model.to_retriever(rows.select(schema.select_by_name("item")), preprocessor=prep)
    retriever.upsert({"item": [-7]})
    with pytest.raises(ValueError, match="are -9 or more. Received -10"):
        retriever.upsert({"item": [-10]})
    loaded = Retriever.load(retriever.export(tmp_path / "model"))
    assert sorted(loaded.item_ids().tolist()) == [-8, -7, 6]


def test_adding_no_items_changes_nothing(retriever: Retriever) -> None:
    before = retriever.changes, sorted(retriever.item_ids().tolist())
    retriever.upsert({"item_id": [], "title": []})
    assert (retriever.changes, sorted(retriever.item_ids().tolist())) == before


def test_matrix_factorization_answers_by_the_rows_of_its_tables(
    prep: tfdual.Preprocessor, items: tfdual.Rows, tmp_path: Path
) -> None:
    model = tfdual.TwoTowerModel(tfdual.MatrixFactorizationBlock(prep.schema, dim=8))
    model.build()
    retriever = model.to_retriever(items, index=tfdual.BruteForce(), preprocessor=prep)
    found = retriever.search({"user_id": ["u3", "u7"]}, k=5)
    users, movies = (model.towers.tables[name].embeddings.numpy() for name in ("user_id", "item"))
    raw = {"user_id": tf.constant(["u3", "u7"])}
    scores = users[prep(raw)["user_id"].numpy()] @ movies[1:].T
    np.testing.assert_allclose(found["score"], -np.sort(-scores, axis=1)[:, :5], rtol=1e-5)
    loaded = tfdual.Retriever.load(retriever.export(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.search({"user_id": ["u3", "u7"]}, k=5)["id"], found["id"])
