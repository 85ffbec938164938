"""Item embeddings as TensorBoard's projector reads them."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig
from tensorboard.plugins.projector.projector_plugin import _read_tensor_tsv_file

import tfdual
from tests.features.text.tiny_model import PIECES
from tfdual import ColumnSchema, Preprocessor, Rows, Schema, Tags, TwoTowerModel
from tfdual.evaluation import write_projector
from tfdual.features import TextEncoder
from tfdual.features.text import TextTransformer, WordPieceTokenizer
from tfdual.models import LateInteractionModel

FILES = {"items.tsv", "items_metadata.tsv", "projector_config.pbtxt"}


def read(folder: Path) -> tuple[np.ndarray, list[str]]:
    """The vectors by TensorBoard's own reader, and the lines of the labels, by the paths in the configuration."""
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (info,) = config.embeddings
    labels = (folder / info.metadata_path).read_text(encoding="utf-8")
    assert labels.endswith("\n")
    return _read_tensor_tsv_file(str(folder / info.tensor_path)), labels.split("\n")[:-1]


def test_each_item_has_its_embedding_and_its_id(
    model: TwoTowerModel, items: Rows, prep: Preprocessor, tmp_path: Path
) -> None:
    path = write_projector(tmp_path / "board", model, items, prep)
    assert path == tmp_path / "board" / "projector_config.pbtxt"
    vectors, labels = read(tmp_path / "board")
    ids = items.to_arrow()["item_id"].to_pylist()
    assert labels == [str(one) for one in ids]  # a single column has no heading
    wanted = model.encode_item(prep({"item_id": tf.constant(ids)})).numpy()
    np.testing.assert_array_equal(vectors, wanted)
    assert {path.name for path in (tmp_path / "board").iterdir()} == FILES


def test_labels_are_one_line_an_item_whatever_is_in_them(
    model: TwoTowerModel, prep: Preprocessor, tmp_path: Path
) -> None:
    schema = Schema(
        [
            ColumnSchema("item_id", [Tags.ITEM_ID]),
            ColumnSchema("title", [Tags.ITEM], dtype="string"),
            ColumnSchema("genres", [Tags.ITEM], dtype="string", is_list=True),
        ]
    )
    shown = {
        "item_id": [1000, 1001, 1002],
        "title": ["a\tb\r\nc", "", "Größe \u2028 x"],
        "genres": [["one", "t\two"], [], ["x"]],
    }
    write_projector(tmp_path, model, tfdual.read(shown, schema), prep, columns=["title", "genres", "item_id"])
    assert read(tmp_path)[1] == [
        "item_id\ttitle\tgenres",
        "1000\ta b c\tone, t wo",
        "1001\t\t",
        "1002\tGröße x\tx",
    ]


def test_batches_that_are_model_ready_are_taken_too(
    model: TwoTowerModel, items: Rows, prep: Preprocessor, tmp_path: Path
) -> None:
    write_projector(tmp_path, model, items.batch(16).map(prep))
    vectors, labels = read(tmp_path)
    assert len(vectors) == len(labels) == len(items)


def test_what_fails_leaves_the_earlier_files(
    model: TwoTowerModel, items: Rows, prep: Preprocessor, tmp_path: Path
) -> None:
    write_projector(tmp_path, model, items, prep)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=r"The items lack the column 'title'. They have \['item_id'\]"):
        write_projector(tmp_path, model, items, prep, columns=["title"])
    with pytest.raises(ValueError, match="There is no item to show"):
        write_projector(tmp_path, model, items.batch(8).map(prep).take(0))
    with pytest.raises(ValueError, match="Raw rows need the preprocessor"):
        write_projector(tmp_path, model, items)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_items_of_several_vectors_are_refused(tmp_path: Path) -> None:
    schema = Schema(
        [
            ColumnSchema("question", [Tags.USER, Tags.TEXT], dtype="string"),
            ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string"),
            ColumnSchema("item_id", [Tags.ITEM_ID]),
        ]
    )
    transformer = TextTransformer(len(PIECES), num_layers=1, num_heads=1, dim=4, feed_forward_dim=4, max_length=20)
    encoder = TextEncoder(WordPieceTokenizer(PIECES), transformer, max_length=20)
    late = LateInteractionModel(schema, encoder, dim=3, query_length=8, item_length=9, sampling_correction=False)
    items = tf.data.Dataset.from_tensors({"item_id": [1, 2], "title": ["tea", "milk"]})
    with pytest.raises(ValueError, match=r"one vector an item, \(items, dim\). This model's.* the shape \(2, \d, 3\)"):
        write_projector(tmp_path, late, items)
    assert not list(tmp_path.iterdir())
