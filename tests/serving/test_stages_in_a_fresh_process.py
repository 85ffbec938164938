"""Indexes with a first stage of ScaNN inside an artefact, in a process that has TensorFlow and scann alone."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import tfdual
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual._typing import Tensor
from tfdual.index import Index, MaxSimIndex, PolyIndex
from tfdual.interactions import Interaction, MaxSim, PolyAttention
from tfdual.models import MatrixFactorizationModel

pytest.importorskip("scann")

VECTORS, DIM, ITEMS = 3, 8, 300
IDS = [2**53 + place for place in range(ITEMS)]
ITEM = ColumnSchema("item", [Tags.ITEM_ID])
SCHEMA = Schema([ColumnSchema("user", [Tags.USER_ID], dtype="string"), ITEM])
QUERIES = {"user": ["u3", "never seen", "u7"]}
EXCLUDE = [[IDS[3]], [], [IDS[5], IDS[7]]]

FRESH = """
import json, sys
import tensorflow as tf
import scann
asked = json.load(open(sys.argv[1]))
answers = []
for folder in sys.argv[2:]:
    search = tf.saved_model.load(folder).signatures["serving_default"]
    options = {"k": tf.constant([5]), "exclude": tf.constant(asked["exclude"], tf.int64)}
    found = search(user=tf.constant(asked["user"]), **options)
    answers.append({name: values.numpy().tolist() for name, values in found.items()})
assert not {"tfdual", "tensorflow_text"} & set(sys.modules)
print(json.dumps(answers))
"""


class Tokens(MatrixFactorizationModel):
    """Several vectors a query, and as many an item."""

    interaction: Interaction = MaxSim()

    def encode_query(self, inputs: dict, training: bool | None = None) -> Tensor:
        return ops.reshape(super().encode_query(inputs, training), (-1, VECTORS, DIM))

    def encode_item(self, inputs: dict, training: bool | None = None) -> Tensor:
        return ops.reshape(super().encode_item(inputs, training), (-1, VECTORS, DIM))


class Codes(Tokens):
    """Several vectors a query, and one an item."""

    interaction: Interaction = PolyAttention()

    def encode_item(self, inputs: dict, training: bool | None = None) -> Tensor:
        return super().encode_item(inputs, training)[:, 0]


def retriever_of(kind: type[Tokens], index: Index) -> Retriever:
    users = [f"u{place % 9}" for place in range(ITEMS)]
    rows = tfdual.read({"user": users, "item": IDS}, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA).adapt(rows)
    normal = keras.initializers.RandomNormal(seed=1)
    model = kind(prep.schema, VECTORS * DIM, initializer=normal, sampling_correction=False)
    return model.to_retriever(rows.select(Schema([ITEM])), index, prep, item_tower=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:ScaNN finds")
def test_a_first_stage_of_scann_answers_as_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdual.index.scann.EXACT_BELOW", 1)  # a tree, though there are few
    first = {"leaves": 4, "leaves_to_search": 4, "reorder": 100}
    retrievers = [
        retriever_of(Tokens, MaxSimIndex(tfdual.ScaNN(**first), 40, 60)),
        retriever_of(Codes, PolyIndex(tfdual.ScaNN(**first), candidates=40)),
    ]
    tokens, vectors = (retriever.description["index"] for retriever in retrievers)
    assert (tokens["kind"], tokens["index_of_tokens"]["exact"]) == ("MaxSimIndex", False)
    assert (vectors["kind"], vectors["first"]["exact"]) == ("PolyIndex", False)
    folders = [retriever.export(tmp_path / str(place)) for place, retriever in enumerate(retrievers)]
    padded = [row + [-1] * (2 - len(row)) for row in EXCLUDE]
    (tmp_path / "asked.json").write_text(json.dumps(QUERIES | {"exclude": padded}))
    command = [sys.executable, "-c", FRESH, str(tmp_path / "asked.json"), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for found, retriever in zip(json.loads(done.stdout.splitlines()[-1]), retrievers, strict=True):
        wanted = retriever.search(QUERIES, 5, EXCLUDE)
        assert found["id"] == wanted["id"].tolist()
        np.testing.assert_allclose(found["score"], wanted["score"], atol=1e-5)
        assert not any({*row} & {*gone} for row, gone in zip(found["id"], EXCLUDE, strict=True))
