"""Towers as ONNX files: answered by ONNX Runtime alone, and what is refused."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, EmbeddingOptions, InputBlock, MLPBlock, Schema, Tags, Tower
from tfdual.features import (
    AttentionPooling,
    GRUEncoder,
    HashedTable,
    OneHotEncoder,
    PeriodicEncoder,
    PiecewiseLinearEncoder,
    QuotientRemainderTable,
    TransformerEncoder,
)
from tfdual.serving import export_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

ALONE = """
import sys
import numpy as np
import onnxruntime
folder = sys.argv[1]
session = onnxruntime.InferenceSession(folder + "/tower.onnx")
for rows in (1, 1000):
    held = np.load(f"{folder}/{rows}.npz")
    (found,) = session.run(["embedding"], {value.name: held[value.name] for value in session.get_inputs()})
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, held["expected"], atol=1e-5)
assert not {"tensorflow", "keras", "tfdual", "onnx", "tf2onnx"} & set(sys.modules)
print([(value.name, value.type, value.shape) for value in session.get_inputs() + session.get_outputs()])
"""


def domain(name: str, cardinality: int) -> dict:
    return {"domain": {"name": name, "min": 0, "max": cardinality - 1}}


SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], domain("user", 50)),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("mood", [Tags.USER], dtype="float32", dims=(None, 3)),
        ColumnSchema("likes", [Tags.USER], domain("item", 30) | {"weights": "stars"}, is_list=True),
        ColumnSchema("stars", [Tags.USER, Tags.WEIGHT], dtype="float32", is_list=True),
        ColumnSchema("genres", [Tags.USER], domain("genre", 7), is_list=True),
        ColumnSchema("item", [Tags.ITEM_ID], domain("item", 30)),
        ColumnSchema("tags", [Tags.ITEM], domain("tag", 9), is_list=True),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
        ColumnSchema("item_log_probability", [Tags.LOG_PROBABILITY], dtype="float32"),
    ]
)
TOWERS = SCHEMA.excluding_by_tag([Tags.LOG_PROBABILITY])


def lists(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of lists, some of them 0, and ids; 0 is padding and so stands nowhere."""
    chance = np.random.default_rng(seed)
    lengths = chance.integers(0, 6, rows)
    return lengths, chance.integers(1, 7, lengths.sum())


def batch(rows: int) -> dict[str, tf.Tensor]:
    """Columns as a preprocessor gives them: lists are ragged. Some ids lie outside their tables."""
    chance = np.random.default_rng(rows)
    values = {
        "user": chance.integers(-2, 60, rows),
        "age": chance.normal(size=rows).astype(np.float32),
        "mood": chance.normal(size=(rows, 3)).astype(np.float32),
        "item": chance.integers(0, 40, rows),
        "price": chance.normal(size=rows).astype(np.float32),
        "item_log_probability": np.zeros(rows, np.float32),
    }
    columns = {name: tf.constant(value) for name, value in values.items()}
    for seed, name in enumerate(("likes", "genres", "tags")):
        lengths, ids = lists(rows, seed)
        columns[name] = tf.RaggedTensor.from_row_lengths(ids, lengths)
    stars = np.random.default_rng(1).uniform(0.5, 5, len(columns["likes"].values)).astype(np.float32)
    return columns | {"stars": columns["likes"].with_values(tf.constant(stars))}


def dense(columns: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
    """The same with lists padded with 0, as the file takes them."""
    return {
        name: (value.to_tensor() if isinstance(value, tf.RaggedTensor) else value).numpy()
        for name, value in columns.items()
    }


@pytest.fixture(scope="module")
def model() -> tfdual.TwoTowerModel:
    options = EmbeddingOptions(embedding_dim_default=8, embeddings_initializers="glorot_normal", combiner="sqrtn")
    towers = tfdual.TwoTowerBlock(TOWERS, MLPBlock([16, 4]), embedding_options=options, post="l2-norm")
    model = tfdual.TwoTowerModel(towers)
    model.build()
    return model


def answers(path: Path, columns: dict[str, tf.Tensor]) -> np.ndarray:
    session = onnxruntime.InferenceSession(path)
    given = dense(columns)
    return session.run(["embedding"], {value.name: given[value.name] for value in session.get_inputs()})[0]


@pytest.mark.parametrize(
    "side, inputs",
    [
        (
            "query",
            "[('age', 'tensor(float)', ['batch']), ('genres', 'tensor(int64)', ['batch', 'genres_length']), "
            "('likes', 'tensor(int64)', ['batch', 'likes_length']), ('mood', 'tensor(float)', ['batch', 3]), "
            "('stars', 'tensor(float)', ['batch', 'stars_length']), ('user', 'tensor(int64)', ['batch'])",
        ),
        (
            "item",
            "[('item', 'tensor(int64)', ['batch']), ('price', 'tensor(float)', ['batch']), "
            "('tags', 'tensor(int64)', ['batch', 'tags_length'])",
        ),
    ],
)
def test_a_process_with_onnx_runtime_alone_gives_the_embeddings_of_the_tower(
    side: str, inputs: str, model: tfdual.TwoTowerModel, tmp_path: Path
) -> None:
    assert export_onnx(model, tmp_path / "tower.onnx", side) == tmp_path / "tower.onnx"
    assert [path.name for path in tmp_path.iterdir()] == ["tower.onnx"]
    encode = model.encode_query if side == "query" else model.encode_item
    for rows in (1, 1000):
        columns = batch(rows)
        np.savez(tmp_path / str(rows), expected=encode(columns).numpy(), **dense(columns))
    done = subprocess.run(
        [sys.executable, "-c", ALONE, tmp_path], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == inputs + ", ('embedding', 'tensor(float)', ['batch', 4])]\n"


@pytest.mark.parametrize(
    "column, choices",
    [
        ("genres", {"combiners": {"genres": "max"}}),
        ("genres", {"combiners": {"genres": AttentionPooling()}}),
        ("genres", {"combiners": {"genres": GRUEncoder(4)}}),
        ("genres", {"combiners": {"genres": TransformerEncoder(max_length=3)}}),
        ("genres", {"encoders": {"genres": OneHotEncoder(7)}}),
        ("user", {"encoders": {"user": OneHotEncoder(50)}}),
        ("user", {"tables": {"user": QuotientRemainderTable(50, 64)}}),
        ("user", {"tables": {"user": HashedTable(50, 64, 20)}}),
        ("age", {"encoders": {"age": PeriodicEncoder()}}),
        ("age", {"encoders": {"age": PiecewiseLinearEncoder([-1.0, 0.0, 1.0])}}),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else type(next(iter(next(iter(value.values())).values()))).__name__
    ),
)
def test_every_encoder_of_the_library_is_exported(column: str, choices: dict, tmp_path: Path) -> None:
    tower = Tower(InputBlock(SCHEMA.select_by_name(column), aggregation="concat", **choices) >> MLPBlock([4]))
    tower.build()
    for place, variable in enumerate(tower.trainable_variables):
        variable.assign(np.random.default_rng(place).normal(size=variable.shape, scale=0.3))
    path = export_onnx(tower, tmp_path / "tower.onnx")
    for rows in (1, 50):
        columns = {column: batch(rows)[column]}
        np.testing.assert_allclose(answers(path, columns), tower(columns).numpy(), atol=1e-5)
    if isinstance(columns[column], tf.RaggedTensor):
        empty = tf.RaggedTensor.from_row_lengths(tf.zeros(0, tf.int64), [0, 0])
        np.testing.assert_allclose(answers(path, {column: empty}), tower({column: empty}).numpy(), atol=1e-5)


def test_padding_changes_nothing(model: tfdual.TwoTowerModel, tmp_path: Path) -> None:
    session = onnxruntime.InferenceSession(export_onnx(model, tmp_path / "item.onnx", "item"))
    feed = {name: value for name, value in dense(batch(9)).items() if name in ("item", "price", "tags")}
    (short,) = session.run(None, feed)
    (long,) = session.run(None, feed | {"tags": np.pad(feed["tags"], [[0, 0], [0, 40]])})
    np.testing.assert_allclose(short, long, atol=1e-6)


def test_other_models_are_told_the_columns_by_a_schema(tmp_path: Path) -> None:
    schema = Schema(
        [ColumnSchema("genres", [Tags.USER, Tags.SEQUENCE], domain("item", 30), is_list=True), SCHEMA["item"]]
    )
    for model in (tfdual.SequenceModel(schema, dim=8), tfdual.YouTubeDNNModel(schema, MLPBlock([4]))):
        for side, encode in {"query": model.encode_query, "item": model.encode_item}.items():
            path = export_onnx(model, tmp_path / "tower.onnx", side, schema=schema)
            np.testing.assert_allclose(answers(path, batch(50)), encode(batch(50)).numpy(), atol=1e-5)
    with pytest.raises(ValueError, match=r"doesn't tell the types of its columns. Pass schema=preprocessor\.schema"):
        export_onnx(model, tmp_path / "tower.onnx", "query")


def test_the_version_of_the_operators_may_be_chosen(model: tfdual.TwoTowerModel, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = export_onnx(model, tmp_path / "item.onnx", "item", opset=17)
    assert {entry.domain: entry.version for entry in onnx.load(path).opset_import}[""] == 17
    np.testing.assert_allclose(answers(path, batch(50)), model.encode_item(batch(50)).numpy(), atol=1e-5)


def test_an_operator_that_onnx_lacks_is_named_with_the_columns_that_need_it(tmp_path: Path) -> None:
    class Odd(tfdual.Block):
        def call(self, inputs: tf.Tensor) -> tf.Tensor:
            return tf.math.bessel_i0(inputs)

        def compute_output_shape(self, input_shape: tuple) -> tuple:
            return input_shape

    tower = Tower(
        InputBlock(SCHEMA.select_by_name(["age", "price"]), encoders={"age": Odd()}, aggregation="concat")
        >> MLPBlock([4])
    )
    with pytest.raises(ValueError, match=r"ONNX has no BesselI0, which the columns \['age'\] need here"):
        export_onnx(tower, tmp_path / "tower.onnx")
    assert list(tmp_path.iterdir()) == []


def test_sides_are_asked_for_where_there_are_two(model: tfdual.TwoTowerModel, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='need side="query" or side="item". Received None'):
        export_onnx(model, tmp_path / "tower.onnx")
    with pytest.raises(ValueError, match="A tower has one side. Leave out side='item'"):
        export_onnx(model.towers.item, tmp_path / "tower.onnx", "item")
    with pytest.raises(TypeError, match="Wanted a tower, or a model of two towers. Received int"):
        export_onnx(3, tmp_path / "tower.onnx")
    path = export_onnx(model.towers.item, tmp_path / "tower.onnx")
    np.testing.assert_allclose(answers(path, batch(5)), model.encode_item(batch(5)).numpy(), atol=1e-5)


def test_a_file_that_cannot_be_written_leaves_the_earlier_one(model: tfdual.TwoTowerModel, tmp_path: Path) -> None:
    (tmp_path / "tower.onnx").mkdir()
    with pytest.raises(OSError, match=r"tower\.onnx"):
        export_onnx(model, tmp_path / "tower.onnx", "item")
    assert [path.name for path in tmp_path.iterdir()] == ["tower.onnx"]


def test_a_missing_extra_is_named(model: tfdual.TwoTowerModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def lacking(name: str, *others: object) -> ModuleType:
        if name == "tf2onnx":
            raise ModuleNotFoundError(name)
        return real(name, *others)

    monkeypatch.setattr(importlib, "import_module", lacking)
    with pytest.raises(ImportError, match=r'tf2onnx.*pip install "tfdual\[onnx\]"'):
        export_onnx(model, tmp_path / "tower.onnx", "item")
