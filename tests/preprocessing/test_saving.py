"""Preprocessors on disk, in Keras models, and adapted again."""

import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from tests.preprocessing.fitting import Stream, in_fresh_process
from tfdual import ColumnSchema, Preprocessor, Schema, Tags
from tfdual.preprocessing import LearnedText, MinMax, QuantileBuckets, Transform, Vocabulary, WordPiece
from tfdual.preprocessing.saved_state import FILE

SCHEMA = Schema(
    [
        ColumnSchema("item_id", [Tags.ITEM_ID], dtype="string"),
        ColumnSchema("age", dtype="float32"),
        ColumnSchema("size", dtype="float32"),
        ColumnSchema("title", [Tags.TEXT], dtype="string"),
    ]
)
OLD = pa.table(
    {
        "item_id": ["b", "b", "a", "b\nc"],
        "age": pa.array([1.0, 2.0, 3.0, 6.0], pa.float32()),
        "size": pa.array([1.0, 2.0, 3.0, 6.0], pa.float32()),
        "title": ["x x", "x", "y", ""],
    }
)
NEW = pa.table(
    {
        "item_id": ["z", "z", "z", "a"],
        "age": pa.array([8.0, 8.0, 8.0, 8.0], pa.float32()),
        "size": pa.array([11.0, 8.0, 8.0, 8.0], pa.float32()),
        "title": ["y q q", "q", "", ""],
    }
)


@pytest.fixture
def prep() -> Preprocessor:
    transforms = {"size": MinMax(), "title": LearnedText(buckets=2, min_count=2)}
    return Preprocessor(SCHEMA, transforms).adapt(Stream(OLD, SCHEMA))


@pytest.mark.parametrize("through_disk", [False, True])
def test_adapted_again_it_grows_and_old_ids_stay(prep: Preprocessor, tmp_path: Path, through_disk: bool) -> None:
    if through_disk:
        prep.save(tmp_path / "prep")
        prep = Preprocessor.load(tmp_path / "prep")
    assert prep.vocabulary("item_id") == [b"b", b"a", b"b\nc"]
    prep.adapt(Stream(NEW, SCHEMA))
    assert prep.vocabulary("item_id") == [b"b", b"a", b"b\nc", b"z"], "z is the most frequent, and still the last"
    assert prep.schema["item_id"].cardinality == 5
    ready = prep({"item_id": tf.constant(["a", "z", "b\nc"]), "age": tf.constant([8.0]), "size": tf.constant([6.0])})
    assert ready["item_id"].numpy().tolist() == [2, 4, 3]
    np.testing.assert_allclose(ready["item_id_log_probability"], np.log([2 / 8, 3 / 8, 1 / 8]), rtol=1e-6)
    ages = np.array([1, 2, 3, 6, 8, 8, 8, 8])
    np.testing.assert_allclose(ready["age"], [(8 - ages.mean()) / ages.std()], rtol=1e-6)
    np.testing.assert_allclose(ready["size"], [0.5])
    titles = prep({"title": tf.constant(["x y q"])})["title"].to_list()
    assert titles == [[3, 5, 4]], "y came to two only now, behind q, which is there more often"


def test_the_same_rows_again_change_no_id(prep: Preprocessor) -> None:
    before = prep.schema
    assert prep.adapt(Stream(OLD, SCHEMA)).vocabulary("item_id") == [b"b", b"a", b"b\nc"]
    assert before["item_id"] == prep.schema["item_id"]


def test_a_full_vocabulary_grows_no_more() -> None:
    schema = SCHEMA.select_by_name("item_id")
    prep = Preprocessor(schema, {"item_id": Vocabulary(max_size=2)}).adapt(Stream(OLD, schema))
    assert prep.adapt(Stream(NEW, schema)).vocabulary("item_id") == [b"b", b"a"]


def test_learned_pieces_of_words_only_grow() -> None:
    schema = SCHEMA.select_by_name("title")
    texts = [pa.table({"title": [text] * 5}) for text in ("playing plays played", "singing sings")]
    prep = Preprocessor(schema, {"title": WordPiece()}).adapt(Stream(texts[0], schema))
    first = prep._chains["title"].learner.pieces
    then = prep.adapt(Stream(texts[1], schema))._chains["title"].learner.pieces
    assert then[: len(first)] == first
    assert len(then) > len(first)


def test_quantiles_are_those_of_all_rows() -> None:
    schema = SCHEMA.select_by_name("age")
    prep = Preprocessor(schema, {"age": QuantileBuckets(2)}).adapt(Stream(OLD, schema)).adapt(Stream(NEW, schema))
    assert prep({"age": tf.constant([7.9, 8.0])})["age"].numpy().tolist() == [1, 2]


def test_quantiles_go_on_as_if_nothing_had_been_saved(tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("x", dtype="float64")])
    old, new = (pa.table({"x": values}) for values in np.random.default_rng(0).random((2, 100_000)))
    never_saved, saved = (
        Preprocessor(schema, {"x": QuantileBuckets(50)}).adapt(Stream(old, schema, size=10_000)) for _ in range(2)
    )
    saved.save(tmp_path / "prep")
    loaded = Preprocessor.load(tmp_path / "prep").adapt(Stream(new, schema, size=10_000))
    never_saved.adapt(Stream(new, schema, size=10_000))
    assert loaded.fingerprint(["x"]) == never_saved.fingerprint(["x"])
    ready = [prep({"x": new["x"].to_numpy()})["x"] for prep in (loaded, never_saved)]
    np.testing.assert_array_equal(*ready)


def test_the_folder_can_be_read(prep: Preprocessor, tmp_path: Path) -> None:
    prep.save(tmp_path / "deep" / "prep")
    content = json.loads((tmp_path / "deep" / "prep" / FILE).read_text())
    assert (content["format"], content["version"]) == ("tfdual.preprocessor", 1)
    assert content["state"]["age"]["mean"] == 3.0
    values = pa.parquet.read_table(tmp_path / "deep" / "prep" / content["state"]["item_id"]["values"]["parquet"])
    assert values["value"].to_pylist() == ["b", "a", "b\nc"]


def test_what_is_not_adapted_is_saved_and_adapted_later(tmp_path: Path) -> None:
    Preprocessor(SCHEMA).save(tmp_path / "prep")
    loaded = Preprocessor.load(tmp_path / "prep")
    with pytest.raises(ValueError, match=r"Call `adapt\(rows\)` first"):
        _ = loaded.schema
    assert loaded.adapt(Stream(OLD, SCHEMA)).vocabulary("item_id") == [b"b", b"a", b"b\nc"]


def test_nothing_is_overwritten_and_nothing_half_written(prep: Preprocessor, tmp_path: Path) -> None:
    prep.save(tmp_path / "prep")
    with pytest.raises(FileExistsError, match="something at .*prep already. Give another path"):
        prep.save(tmp_path / "prep")
    assert [path.name for path in tmp_path.iterdir()] == ["prep"]


def edit(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / FILE).read_text()) | changes
    (folder / FILE).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda folder: (folder / FILE).unlink(), FileNotFoundError, "holds no preprocessor.json"),
        (lambda folder: (folder / FILE).write_text('{"format": "tf'), ValueError, "preprocessor.json is damaged"),
        (lambda folder: edit(folder, format="other"), ValueError, "is not of format tfdual.preprocessor"),
        (lambda folder: edit(folder, version=2), ValueError, "reads version 1 .* has 2. Load it with the release"),
        (lambda folder: (folder / "0.parquet").unlink(), FileNotFoundError, "0.parquet is missing. Copy the folder"),
        (lambda folder: (folder / "0.parquet").write_bytes(b"PAR1"), ValueError, "0.parquet is damaged"),
        (lambda folder: edit(folder, state={}), ValueError, "lacks what 'item_id' learned"),
    ],
)
def test_a_damaged_folder_is_refused(
    prep: Preprocessor, tmp_path: Path, damage: Any, error: type[Exception], message: str
) -> None:
    prep.save(tmp_path / "prep")
    damage(tmp_path / "prep")
    with pytest.raises(error, match=message):
        Preprocessor.load(tmp_path / "prep")


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere. Give a folder that `Preprocessor.save`"):
        Preprocessor.load(tmp_path / "nowhere")


class Doubled(Transform):
    def __init__(self, by: float = 2.0) -> None:
        self.by = by

    def output(self, column: ColumnSchema) -> ColumnSchema:
        return column

    def __call__(self, column: ColumnSchema, values: Any) -> Any:
        return values * self.by


def test_a_transform_of_ones_own_is_loaded_once_it_is_registered(tmp_path: Path) -> None:
    schema = SCHEMA.select_by_name("age")
    Preprocessor(schema, {"age": Doubled(3.0)}).adapt(Stream(OLD, schema)).save(tmp_path / "prep")
    with pytest.raises(ValueError, match="Doubled.*Import the module of your own transforms"):
        Preprocessor.load(tmp_path / "prep")
    with keras.saving.custom_object_scope({"Doubled": Doubled}):
        loaded = Preprocessor.load(tmp_path / "prep")
    assert loaded({"age": tf.constant([2.0])})["age"].numpy().tolist() == [6.0]


FUNCTIONAL = """
import sys, keras, tensorflow as tf, tfdual
model = keras.saving.load_model(sys.argv[1])
scores = model({"item_id": tf.constant(["a", "new"]), "age": tf.constant([1.0, 6.0])})
print(scores.numpy().tolist(), file=open(sys.argv[2], "w"))
"""


def test_a_functional_model_holds_it(prep: Preprocessor, tmp_path: Path) -> None:
    inputs = {"item_id": keras.Input((), dtype="string"), "age": keras.Input(())}
    ready = prep(inputs)
    assert ready["item_id_log_probability"].shape == (None,)
    embedding = keras.layers.Embedding(prep.schema["item_id"].cardinality, 3)(ready["item_id"])
    model = keras.Model(inputs, embedding * keras.ops.expand_dims(ready["age"], -1))
    expected = model.predict({"item_id": tf.constant(["a", "new"]), "age": tf.constant([1.0, 6.0])}, verbose=0)
    model.save(tmp_path / "model.keras")
    in_fresh_process(FUNCTIONAL, tmp_path / "model.keras", tmp_path / "scores")
    np.testing.assert_allclose(json.loads((tmp_path / "scores").read_text()), expected, rtol=1e-6)
    model.export(str(tmp_path / "served"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    found = served.serve({"item_id": tf.constant(["a", "new"]), "age": tf.constant([1.0, 6.0])})
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_symbolic_shapes_are_those_of_the_tensors(prep: Preprocessor) -> None:
    ready = prep({"title": keras.Input((), dtype="string"), "other": keras.Input((2,))})
    assert ready["title"].ragged
    assert ready["title"].dtype == "int64"
    assert ready["other"].shape == (None, 2)


def test_another_backend_gets_tensorflow_tensors_too(prep: Preprocessor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    ready = prep({"item_id": tf.constant(["a"])})
    assert tf.is_tensor(ready["item_id"])
    assert ready["item_id"].dtype == tf.int64


@pytest.mark.slow
def test_many_strings_are_learned_saved_and_looked_up(tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("user", [Tags.USER_ID], dtype="string")])
    names = [f"user_{i:08d}" for i in range(300_000)]
    prep = Preprocessor(schema).adapt(Stream(pa.table({"user": names}), schema, 65_536))
    prep.save(tmp_path / "prep")
    ids = Preprocessor.load(tmp_path / "prep")({"user": tf.constant([*names[::1000], "user_x"])})["user"].numpy()
    assert ids.tolist() == [*range(1, 300_001, 1000), 0]
    assert math.log(1 / 300_000) == pytest.approx(prep._chains["user"].learner.log_probability("user")[5], rel=1e-6)
