"""A model of all five kinds of column on both sides: trained, saved, loaded, exported and drawn."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sample_columns import domain, ragged_ids
from tfdual import (
    ColumnSchema,
    EmbeddingOptions,
    InputBlock,
    LazyAdam,
    MLPBlock,
    Schema,
    SequentialBlock,
    Tags,
    TwoTowerBlock,
    TwoTowerModel,
    as_functional,
)
from tfdual.features import PeriodicEncoder, TransformerEncoder

ROWS = 64
SCHEMA = Schema(
    column
    for side in (Tags.USER, Tags.ITEM)
    for column in (
        ColumnSchema(f"{side}_number", [side], dtype="float32"),
        ColumnSchema(f"{side}_id", [Tags.USER_ID if side == Tags.USER else Tags.ITEM_ID], domain(f"{side}_id", 20)),
        ColumnSchema(f"{side}_picture", [side], dtype="float32", dims=(None, 3)),
        ColumnSchema(f"{side}_list", [side], domain("item_id", 20), is_list=True),
        ColumnSchema(f"{side}_title", [side, Tags.TEXT], dtype="string"),
    )
)


def inputs() -> dict:
    rng = np.random.default_rng(0)
    columns: dict = {}
    for seed, side in enumerate(("user", "item")):
        ids = np.arange(ROWS) % 19 + 1
        columns |= {
            f"{side}_number": tf.constant(rng.normal(size=ROWS), tf.float32),
            f"{side}_id": tf.constant(ids, tf.int64),
            f"{side}_picture": tf.constant(rng.normal(size=(ROWS, 3)), tf.float32),
            f"{side}_list": ragged_ids([place % 4 for place in range(ROWS)], 20, seed),
            f"{side}_title": tf.constant([f"title {place}" for place in ids]),
        }
    return columns


def encoders(side: str) -> InputBlock:
    words = SequentialBlock([keras.layers.Hashing(32), keras.layers.Embedding(32, 4)], name="words")
    return InputBlock(
        SCHEMA.select_by_tag(side),
        EmbeddingOptions(embedding_dim_default=4, embeddings_l2_reg=1e-4),
        encoders={f"{side}_title": words, f"{side}_number": PeriodicEncoder(4), f"{side}_picture": MLPBlock([4])},
        combiners={"user_list": TransformerEncoder(1, 2, max_length=8)} if side == Tags.USER else None,
        aggregation="attention",
        name="columns",
    )


def model() -> TwoTowerModel:
    keras.utils.set_random_seed(0)
    query, item = (encoders(side) >> MLPBlock([16, 8], name="body") for side in (Tags.USER, Tags.ITEM))
    return TwoTowerModel(TwoTowerBlock(SCHEMA, query, item, post="l2-norm"), 0.1, sampling_correction=False)


@pytest.mark.slow
def test_it_trains_saves_loads_and_exports(tmp_path: Path) -> None:
    trained, batch = model(), inputs()
    trained.compile(LazyAdam(0.02))
    losses = trained.fit(batch, batch_size=ROWS, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    trained.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    wanted = {side: vectors.numpy() for side, vectors in trained(batch).items()}
    for side, vectors in loaded(batch).items():
        np.testing.assert_array_equal(vectors, wanted[side])
    assert loaded.towers.item.tables["item_id"] is loaded.towers.query.tables["item_id"]
    dense = {name: x.to_tensor() if isinstance(x, tf.RaggedTensor) else x for name, x in batch.items()}
    arrays = {name: x.numpy().astype(str) if "title" in name else x.numpy() for name, x in dense.items()}
    np.savez(tmp_path / "inputs.npz", **arrays)
    for side in ("query", "item"):
        loaded.towers.select_by_name(side).export(tmp_path / side, verbose=False)
    found = json.loads(served(tmp_path))
    for side, vectors in found.items():
        np.testing.assert_allclose(vectors, wanted[side], rtol=1e-4, atol=1e-5)
    again = loaded.fit(batch, batch_size=ROWS, epochs=1, verbose=0).history["loss"]
    assert again[0] < 0.8 * losses[0], "it goes on where it stopped"


def served(folder: Path) -> str:
    """What the two exported towers give in a process that imports TensorFlow alone."""
    program = """
import json, numpy as np, tensorflow as tf
batch, found = np.load("inputs.npz"), {}
for side in ("query", "item"):
    tower = tf.saved_model.load(side).signatures["serving_default"]
    names = tower.structured_input_signature[1]
    found[side] = next(iter(tower(**{name: tf.constant(batch[name]) for name in names}).values())).numpy().tolist()
print(json.dumps(found))
"""
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs graphviz: apt-get install graphviz")
def test_its_picture_shows_columns_encoders_and_bodies(tmp_path: Path) -> None:
    towers = model().towers
    towers(inputs())
    keras.utils.plot_model(as_functional(towers), tmp_path / "towers.png", expand_nested=True, show_shapes=True)
    assert (tmp_path / "towers.png").stat().st_size > 20_000
    drawn = keras.utils.model_to_dot(as_functional(towers), expand_nested=True, show_layer_names=True).to_string()
    assert [name for name in (*SCHEMA.column_names, "item_id_table", "body") if name not in drawn] == []
