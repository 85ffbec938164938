"""One dialogue against cached candidates: by a bi-encoder and by a poly-encoder, alone and as `tfdual chat` asks."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from architectures_times import Run
from text_data import TOKENS, model_directory

import tfdual
from tfdual import BruteForce, ColumnSchema, Preprocessor, Retriever, Schema, Tags
from tfdual.features import TextEncoder
from tfdual.index import Index, PolyIndex
from tfdual.models import DualEncoder, PolyEncoder
from tfdual.preprocessing import Passthrough
from tfdual.towers import BertTower, DualEncoderBlock

BI, POLY = "bi-encoder", "poly-encoder"
SCORE, CHAT = "scores alone", "encoding and scores"
SEPARATOR, SCALE = " [SEP] ", 20.0
HISTORY, ANSWER, ANSWER_ID = "history", "answer", "answer_id"
ITEMS = Schema([ColumnSchema(ANSWER, [Tags.ITEM], dtype="string"), ColumnSchema(ANSWER_ID, [Tags.ITEM_ID])])


@dataclass(frozen=True)
class Asked:
    """A dialogue of MuTual, oldest turn first, and answers to choose from."""

    turns: list[str]
    answers: list[str]

    @classmethod
    def read(cls, mutual: Path, count: int) -> "Asked":
        """The dialogue of the development part whose length is the median, and answers until there are `count`."""
        rows = pq.read_table(mutual / "dev.parquet").to_pydict()
        lengths = [len(SEPARATOR.join(turns)) for turns in rows["history"]]
        middle = int(np.argsort(lengths, kind="stable")[len(lengths) // 2])
        answers = [answer for candidates in rows["candidates"] for answer in candidates]
        return cls(rows["history"][middle], np.resize(np.array(answers, object), count).tolist())


def unit(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Vectors of length 1, in directions at random."""
    vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def score_runs(count: int, dim: int, codes: int) -> dict[str, Run]:
    """The best of all candidates by vectors that are there already, at random; both are compared with NumPy first."""
    items, query = unit((count, dim), 0), unit((1, codes, dim), 1)
    products = items.astype(np.float64) @ query[0].T  # (count, codes)
    shares = np.exp(SCALE * products)
    poly = (shares * products).sum(axis=1) / shares.sum(axis=1)
    indexes: dict[str, Index] = {BI: BruteForce().build(items), POLY: PolyIndex(scale=SCALE).build(items)}
    queries = {BI: tf.constant(query[:, 0]), POLY: tf.constant(query)}
    for name, scores in {BI: products[:, 0], POLY: poly}.items():
        found, best = (part.numpy()[0, 0] for part in indexes[name].search_positions(queries[name], 1))
        if abs(best - scores.max()) > 1e-5 or scores[found] < scores.max() - 1e-5:
            raise SystemExit(f"{name} finds {found} with {best}, and NumPy {scores.argmax()} with {scores.max()}.")
    return {name: lambda name=name: indexes[name].search_positions(queries[name], 1)[0].numpy() for name in indexes}


def chat_runs(asked: Asked, dim: int, codes: int) -> dict[str, Run]:
    """A saved model's answer to the dialogue, as `tfdual chat` gets it: text in, text out.

    MiniLM as it is, with a map to `dim` numbers where these are not its own; candidates' vectors are at random.
    """
    items = tfdual.read({ANSWER: asked.answers, ANSWER_ID: np.arange(len(asked.answers))}, ITEMS)
    rows: dict[str, Any] = {BI: SEPARATOR.join(asked.turns), POLY: asked.turns}
    runs: dict[str, Run] = {}
    for name in (BI, POLY):
        retriever = _saved(*_model(name, dim, codes), items, unit((len(asked.answers), dim), 0))
        runs[name] = lambda retriever=retriever, row=rows[name]: retriever.search({HISTORY: [row]}, 1)[ANSWER]
        runs[f"{name}, encoding"] = lambda retriever=retriever, row=rows[name]: retriever.embed_query({HISTORY: [row]})
    return runs


def tokens_of(asked: Asked) -> int:
    """How many tokens the dialogue has."""
    tokenizer = TextEncoder.from_directory(model_directory()).tokenizer
    return int(tokenizer(tf.constant([SEPARATOR.join(asked.turns)]), TOKENS).row_lengths()[0])


def _model(name: str, dim: int, codes: int) -> tuple[DualEncoder, Preprocessor]:
    """Either of the models on MiniLM, and its preprocessor."""
    encoder = TextEncoder.from_directory(model_directory(), max_length=TOKENS, normalize=True)
    head = None if dim == encoder.dim else [keras.layers.Dense(dim), "l2-norm"]
    history = ColumnSchema(HISTORY, [Tags.USER], dtype="string", is_list=name == POLY)
    schema = Schema([history, *ITEMS])
    if name == POLY:
        model: DualEncoder = PolyEncoder(schema, encoder, codes=codes, scale=SCALE, post=head, seed=0)
    else:
        sides = (BertTower(Schema([column]), encoder, head=head) for column in (history, ITEMS[ANSWER]))
        model = tfdual.TwoTowerModel(DualEncoderBlock(*sides), item_id=ANSWER_ID)
    row = {HISTORY: [["tea"] if name == POLY else "tea"], ANSWER: ["milk"], ANSWER_ID: [0]}
    transforms = {HISTORY: Passthrough(), ANSWER: Passthrough()}
    prep = Preprocessor(schema, transforms).adapt(tfdual.read(row, schema))
    return model, prep


def _saved(model: DualEncoder, prep: Preprocessor, items: tfdual.Rows, vectors: np.ndarray) -> Retriever:
    """The model over these vectors, written and loaded."""
    index = model.exact_index().build(vectors, np.arange(len(vectors)), model.embedding_space(prep))
    retriever = model.to_retriever(items, index, prep, attributes=[ANSWER], item_tower=False)
    with tempfile.TemporaryDirectory() as folder:
        return Retriever.load(retriever.export(folder))
