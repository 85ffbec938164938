"""An artefact of ten query columns over a ScaNN index, the bare op of that index, and requests of one query each."""

import json
from pathlib import Path

import index_data
import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf
from index_data import DIM, K
from tensorflow.core.protobuf import saved_model_pb2

import tfdual
from tfdual import ColumnSchema, Schema, Tags
from tfdual.index.scann_searcher import scann_ops
from tfdual.preprocessing import HashBuckets
from tfdual.serving.raw_input import tensor_spec
from tfdual.serving.search_options import option_specs

TARGET_RECALL = 0.9
VALUES = {"user": 100_000, "city": 5_000, "country": 200, "language": 50, "device": 20, "segment": 8}
INTERESTS, LONGEST = 1_000, 8
NUMBERS = ("age", "spend", "days")
SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        *(ColumnSchema(name, [Tags.USER, Tags.CATEGORICAL], dtype="string") for name in list(VALUES)[1:]),
        ColumnSchema("interests", [Tags.USER, Tags.CATEGORICAL], dtype="string", is_list=True),
        *(ColumnSchema(name, [Tags.USER], dtype="float32") for name in NUMBERS),
        ColumnSchema("item", [Tags.ITEM_ID]),
    ]
)
ARTEFACT, BARE, EMPTY, REQUESTS = "artefact", "bare", "empty", "requests.json"


def queries(count: int, seed: int) -> dict[str, list]:
    """Raw query columns; the first rows hold each user once."""
    chance = np.random.default_rng(seed)
    columns: dict[str, list] = {
        name: [f"{name}_{value:06d}" for value in chance.integers(0, most, count)] for name, most in VALUES.items()
    }
    lengths = chance.integers(0, LONGEST + 1, count)
    columns["interests"] = [[f"i{value}" for value in chance.integers(0, INTERESTS, length)] for length in lengths]
    return columns | {name: chance.normal(size=count).astype(np.float32).tolist() for name in NUMBERS}


def write(folder: Path, items: int, requests: int) -> dict:
    """Build, export, and describe the index.

    The vectors are drawn around centres and the query tower is not trained: a search takes as long as with any, and
    the variants that search do so for the same embeddings.
    """
    keras.utils.set_random_seed(0)
    clusters = index_data.Clusters(max(1, min(index_data.CENTRES, items // index_data.ITEMS_A_CENTRE)), seed=0)
    vectors, tuning = clusters.draw(items), clusters.draw(1_024)
    prep, model = model_of(items)
    index = tfdual.ScaNN(target_recall=TARGET_RECALL, tuning_queries=tuning)
    index.build(vectors, np.arange(items), space=model.embedding_space(prep))
    rows = tfdual.read(pa.table({"item": np.arange(items)}), SCHEMA.select_by_tag(Tags.ITEM))
    retriever = model.to_retriever(rows, index=index, preprocessor=prep, item_tower=False)
    retriever.export(folder / ARTEFACT)
    asked = queries(requests, seed=2)
    (folder / REQUESTS).write_text(json.dumps(asked))
    np.save(folder / "embeddings.npy", retriever.embed_query(asked))
    export_bare(index, folder / BARE)
    export_empty(folder / EMPTY)
    names = {name: tensor_names(folder / name) for name in (f"{ARTEFACT}/1", BARE)}
    (folder / "tensor_names.json").write_text(json.dumps(names))
    return index.describe()


def model_of(items: int) -> tuple[tfdual.Preprocessor, tfdual.TwoTowerModel]:
    """Towers of 128 and 64, and vocabularies of what queries hold; items are hashed to a small table."""
    count = VALUES["user"]
    seen = queries(count, seed=1) | {"user": [f"user_{value:06d}" for value in range(count)]}
    rows = tfdual.read({**seen, "item": [number % items for number in range(count)]}, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA, {"item": HashBuckets(1_000)}).adapt(rows)
    tower = tfdual.MLPBlock([128, DIM], no_activation_last_layer=True)
    options = tfdual.EmbeddingOptions(embedding_dim_default=32)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tower, embedding_options=options))
    model.build()
    return prep, model


def export_bare(index: tfdual.ScaNN, folder: Path) -> None:
    """scann's own TensorFlow searcher of the same tree with the tuned numbers, as its documentation exports it."""
    about = index.describe()
    module = tf.Module()
    module.state = index._searcher.state

    def search(queries: tf.Tensor) -> dict[str, tf.Tensor]:
        searcher = scann_ops().searcher_from_module(module.state)
        positions, scores = searcher.search_batched_parallel(queries, K, about["reorder"], about["leaves_to_search"])
        return {"position": positions, "score": scores}

    spec = tf.TensorSpec([None, DIM], name="queries")
    signatures = {"serving_default": tf.function(search, input_signature=[spec], autograph=False)}
    options = tf.saved_model.SaveOptions(namespace_whitelist=["Scann"])
    tf.saved_model.save(module, str(folder), signatures=signatures, options=options)


def tensor_names(saved_model: Path) -> dict[str, dict[str, str]]:
    """Of `serving_default`: input and output names -> names of tensors."""
    saved = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    inputs, outputs = signature.inputs, signature.outputs
    return {
        "inputs": {name: inputs[name].name for name in inputs},
        "outputs": {name: outputs[name].name for name in outputs},
    }


def export_empty(folder: Path) -> None:
    """The inputs of the artefact's `serving_default`, and nothing done with them: what a call costs by itself."""
    specs = {column.name: tensor_spec(column) for column in SCHEMA.select_by_tag(Tags.USER)} | option_specs(
        "int64", False
    )
    module = tf.Module()
    module.empty = tf.function(
        lambda inputs: {"id": tf.identity(inputs["k"])}, input_signature=[specs], autograph=False
    )
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.empty})
