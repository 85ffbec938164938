"""A cross-encoder's scores: by hand, trained by every kind of loss, and as the second stage of a served search."""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

import tfdual
from tests.features.text.test_model_directory import distilbert
from tests.features.text.test_text_pairs import by_hand
from tests.features.text.tiny_model import DIM, PIECES, bert_config, bert_states, bert_tensors, write_model
from tfdual import ColumnSchema, InputBlock, MLPBlock, Schema, Tags
from tfdual.features import TextEncoder
from tfdual.features.text import TextPairEncoder, TextTransformer, WordPieceTokenizer
from tfdual.losses import hinge, margin_mse, pairwise_logistic, sampled_softmax
from tfdual.models import CrossEncoder
from tfdual.preprocessing import Passthrough
from tfdual.towers import BertTower

RNG = np.random.default_rng(3)
POOLER, SCORE = RNG.normal(size=(DIM, DIM)).astype("float32"), RNG.normal(size=(1, DIM)).astype("float32")
POOLER_BIAS, SCORE_BIAS = RNG.normal(size=DIM).astype("float32"), np.array([0.7], "float32")
QUERIES = ["Teas!", "", "green tea"]
ITEMS = [["milk, tea", "tea", "a b"], ["tea", "", "green green"], ["milk", "tea tea tea", "b"]]
VOCABULARY = {piece: place for place, piece in enumerate(PIECES)}
PRICES = Schema(
    [
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
        ColumnSchema("kind", [Tags.ITEM, Tags.CATEGORICAL], {"domain": {"name": "kind", "min": 0, "max": 4}}),
    ]
)


def classifier(folder: Path, **changes: np.ndarray) -> Path:
    """As `transformers` writes a `BertForSequenceClassification`."""
    tensors = dict(zip(bert_tensors(prefix="bert."), bert_tensors().values(), strict=True))
    tensors |= {"bert.pooler.dense.weight": POOLER, "bert.pooler.dense.bias": POOLER_BIAS}
    tensors |= {"classifier.weight": SCORE, "classifier.bias": SCORE_BIAS}
    return write_model(folder, tensors=tensors | {name.replace("__", "."): one for name, one in changes.items()})


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tmp_path_factory.mktemp("bert"))


def ids_of(text: str) -> list[int]:
    words = text.lower().replace("!", " !").replace(",", " ,").replace("teas", "tea ##s")
    return [VOCABULARY[word] for word in words.split()]


def score_by_hand(query: str, item: str) -> float:
    ids = [2, *ids_of(query), 3, *ids_of(item), 3]
    state = by_hand(ids, len(ids_of(query)) + 2)
    return float(SCORE[0] @ np.tanh(POOLER @ state + POOLER_BIAS) + SCORE_BIAS[0])


WANTED = np.array([[score_by_hand(query, item) for item in items] for query, items in zip(QUERIES, ITEMS, strict=True)])


def tiny(trainable_layers: int | str = "all", dim: int = DIM, **options: Any) -> CrossEncoder:
    """A transformer with random weights."""
    transformer = TextTransformer(len(PIECES), 1, 2, dim, 2 * dim, 20, dropout=0.0, trainable_layers=trainable_layers)
    return CrossEncoder(TextEncoder(WordPieceTokenizer(PIECES), transformer, max_length=20), **options)


def test_scores_of_a_directory_are_those_by_hand_as_pairs_and_as_lists(directory: Path) -> None:
    model = CrossEncoder.from_directory(directory)
    lists = {"query": tf.constant(QUERIES), "item": tf.constant(ITEMS)}
    np.testing.assert_allclose(model(lists), WANTED, atol=5e-5)
    pairs = {"query": np.repeat(QUERIES, 3), "item": np.concatenate(ITEMS)}
    np.testing.assert_allclose(model(pairs), WANTED.reshape(-1), atol=5e-5)
    ragged = [ITEMS[0][:2], [], ITEMS[2]]
    found = model({"query": tf.constant(QUERIES), "item": tf.ragged.constant(ragged, dtype=tf.string)}).numpy()
    np.testing.assert_allclose(found[0, :2], WANTED[0, :2], atol=5e-5)
    np.testing.assert_allclose(found[2], WANTED[2], atol=5e-5)
    assert np.isneginf(found[[0, 1, 1, 1], [2, 0, 1, 2]]).all()


def test_a_classifier_of_distilbert_has_a_relu_and_no_segments(tmp_path: Path) -> None:
    folder = distilbert(tmp_path)
    head = {"pre_classifier.weight": POOLER, "pre_classifier.bias": POOLER_BIAS}
    head |= {"classifier.weight": SCORE, "classifier.bias": SCORE_BIAS}
    save_file(load_file(folder / "model.safetensors") | head, folder / "model.safetensors")
    model = CrossEncoder.from_directory(folder)
    state = bert_states(bert_tensors(), [2, *ids_of("teas"), 3, *ids_of("milk"), 3])[0]
    wanted = SCORE[0] @ np.maximum(POOLER @ state + POOLER_BIAS, 0) + SCORE_BIAS[0]
    np.testing.assert_allclose(model({"query": np.array(["teas"]), "item": np.array(["milk"])}), [wanted], atol=5e-5)


def test_a_classifier_of_xlm_roberta_reads_pairs_joined_by_two_ends(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece", reason="needs the extra text")
    pieces, sentences = io.BytesIO(), ["a cup of tea and a glass of milk", "the quick brown fox"] * 8
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=pieces, vocab_size=50, hard_vocab_limit=False, minloglevel=2
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=pieces.getvalue())
    sizes = {"vocab_size": processor.vocab_size() + 2, "max_position_embeddings": 32, "type_vocab_size": 1}
    tensors = bert_tensors(positions=32)
    tensors["embeddings.word_embeddings.weight"] = RNG.normal(size=(sizes["vocab_size"], DIM)).astype("float32")
    tensors["embeddings.token_type_embeddings.weight"] = tensors["embeddings.token_type_embeddings.weight"][:1]
    head = {"classifier.dense.weight": POOLER, "classifier.dense.bias": POOLER_BIAS}
    head |= {"classifier.out_proj.weight": SCORE, "classifier.out_proj.bias": SCORE_BIAS}
    config = bert_config(model_type="xlm-roberta", layer_norm_eps=1e-5, **sizes)
    write_model(tmp_path, config, head | {f"roberta.{name}": tensor for name, tensor in tensors.items()})
    (tmp_path / "vocab.txt").unlink()
    (tmp_path / "sentencepiece.bpe.model").write_bytes(pieces.getvalue())
    first, second = ([one + 1 for one in processor.encode(text)] for text in ("a cup", "milk"))
    tensors["embeddings.position_embeddings.weight"] = tensors["embeddings.position_embeddings.weight"][2:]
    state = bert_states(tensors, [0, *first, 2, 2, *second, 2], epsilon=1e-5)[0]
    wanted = SCORE[0] @ np.tanh(POOLER @ state + POOLER_BIAS) + SCORE_BIAS[0]
    model = CrossEncoder.from_directory(tmp_path)
    np.testing.assert_allclose(model({"query": np.array(["a cup"]), "item": np.array(["milk"])}), [wanted], atol=5e-5)


def test_a_pair_that_is_too_long_is_cut_where_it_is_longer(directory: Path) -> None:
    pairs = TextPairEncoder(TextEncoder.from_directory(directory), max_length=8)
    model = CrossEncoder(pairs)
    model.build()
    model.to_score.set_weights([SCORE.T, SCORE_BIAS])
    found = model({"query": np.array(["tea", ""]), "item": np.array(["milk " * 50, "a b a b a b a"])})
    wanted = [score_by_hand("tea", "milk " * 4), score_by_hand("", "a b a b a")]
    np.testing.assert_allclose(found, wanted, atol=5e-5)


def test_a_model_begins_with_the_layer_on_the_first_token_that_a_directory_has(directory: Path) -> None:
    model = CrossEncoder(TextEncoder.from_directory(directory), num_layers=1)
    model.build()
    np.testing.assert_array_equal(model.pooling.kernel, POOLER.T)
    trained = {weight.path.split("/")[-2] for weight in model.trainable_weights}
    assert trained == {"layer_2", "pooling", "score"}


def other_classifier(labels: int) -> Callable[[Path], Path]:
    weights = np.ones((labels, DIM), "float32"), np.ones(labels, "float32")
    return lambda folder: classifier(folder, classifier__weight=weights[0], classifier__bias=weights[1])


@pytest.mark.parametrize(
    ("write", "message"),
    [(write_model, "has no labels. To start from the encoder alone"), (other_classifier(3), "has 3 labels")],
)
def test_a_directory_without_one_score_is_refused(tmp_path: Path, write: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CrossEncoder.from_directory(write(tmp_path))


LABELS = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 1.0], [0.0, 1.0, -1.0]])
TEACHER = np.array([[1.0, 4.0, 0.0], [5.0, 1.0, 2.0], [0.0, 3.0, 9.0]])


def loss_by_hand(kind: Any, scores: np.ndarray) -> float:
    """By loops over the candidates of each list; the last of the third is none."""
    losses = []
    for row, labels, teacher in zip(scores, LABELS, TEACHER, strict=True):
        kept = [place for place, label in enumerate(labels) if label >= 0]
        right = [place for place in kept if labels[place] > 0]
        pairs = [(one, other) for one in right for other in kept if labels[other] == 0]
        graded = [(one, other) for one in kept for other in kept if labels[one] > labels[other]]
        losses.append(
            {
                None: [np.log1p(np.exp(-row[one] if one in right else row[one])) for one in kept],
                "pairwise": [np.log1p(np.exp(row[other] - row[one])) for one, other in graded],
                "hinge": [max(0.0, 2.0 - row[one] + row[other]) for one, other in pairs],
                "margin": [(row[one] - row[other] - teacher[one] + teacher[other]) ** 2 for one, other in pairs],
                "listwise": [
                    np.log(np.exp(row[one]) + sum(np.exp(row[other]) for at, other in pairs if at == one)) - row[one]
                    for one in right
                ],
            }[kind]
        )
    return float(np.mean([np.mean(one) for one in losses]))


@pytest.mark.parametrize(
    ("kind", "loss", "labels"),
    [
        (None, None, LABELS),
        ("pairwise", pairwise_logistic, LABELS),
        ("hinge", functools.partial(hinge, margin=2.0), LABELS),
        ("margin", margin_mse, {"labels": LABELS, "teacher_scores": TEACHER}),
        ("listwise", sampled_softmax, LABELS),
    ],
)
def test_pointwise_pairwise_and_listwise_losses_are_those_by_hand(kind: Any, loss: Any, labels: Any) -> None:
    model = tiny(ranking_loss=loss)
    scores = model({"query": tf.constant(QUERIES), "item": tf.constant(ITEMS)}) * 20
    found = model.compute_loss({}, keras.tree.map_structure(tf.constant, labels), scores)
    np.testing.assert_allclose(found, loss_by_hand(kind, scores.numpy()), rtol=1e-4)


WORDS = ["tea", "milk", "green"]


def test_it_learns_which_item_holds_the_word_of_the_query() -> None:
    model = tiny(dim=32, ranking_loss=sampled_softmax)  # of width 8 every second start ends in a bad place
    model.compile(keras.optimizers.Adam(0.005))
    lists = {"query": tf.constant(WORDS), "item": tf.constant([[f"{word} b" for word in WORDS]] * 3)}
    rows = tf.data.Dataset.from_tensors((lists, np.eye(3, dtype="float32"))).repeat(120)
    model.fit(rows, verbose=0)
    np.testing.assert_array_equal(np.argmax(model(lists), axis=1), np.arange(3))


def test_a_place_without_a_candidate_changes_no_weight() -> None:
    labels = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])

    def gradients(last: str) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        model, items = tiny(), tf.constant([["tea", "milk", last], ["a", "b", last]])
        model.build()
        with tf.GradientTape() as tape:
            scores = model({"query": tf.constant(["tea", "b"]), "item": items}, training=True)
            loss = model.compute_loss({}, labels, scores)
        found = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        return [tf.convert_to_tensor(gradient).numpy() for gradient in found]

    first, second = gradients(""), gradients("green milk and tea and a")
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert max(np.abs(gradient).max() for gradient in first) > 1e-3


def test_ragged_lists_train_as_padded_ones(directory: Path) -> None:
    items, grades = [["tea", "milk"], ["a", "b", "green"]], [[1.0, 0.0], [0.0, 2.0, 1.0]]

    model = CrossEncoder.from_directory(directory, ranking_loss=pairwise_logistic)
    model.compile("sgd")
    queries = tf.constant(["tea", "b"])
    lists = {"query": queries, "item": tf.ragged.constant(items)}, tf.ragged.constant(grades)
    ragged = model.evaluate(tf.data.Dataset.from_tensors(lists), verbose=0)
    filled = {"query": queries, "item": tf.constant([[*items[0], ""], items[1]])}
    padded = model.compute_loss({}, tf.constant([[1.0, 0.0, -1.0], grades[1]]), model(filled))
    scores = [[score_by_hand(query, item) for item in row] for query, row in zip(["tea", "b"], items, strict=True)]
    pairs = [[(0, 1)], [(1, 0), (1, 2), (2, 0)]]
    wanted = np.mean(
        [
            np.mean([np.log1p(np.exp(-(row[high] - row[low]))) for high, low in ordered])
            for row, ordered in zip(scores, pairs, strict=True)
        ]
    )
    np.testing.assert_allclose([ragged, padded], wanted, rtol=1e-4)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_candidate_is_trained_by_itself_and_never_compared(shape: tuple) -> None:
    items = tf.reshape(tf.constant(["tea", "b", "green", "b"]), shape)
    inputs, labels = {"query": tf.constant(["tea", "milk", "green", "a"]), "item": items}, [1.0, 0.0, 1.0, 0.0]
    model = tiny()
    scores = model(inputs) * 20
    loss = model.compute_loss({}, tf.reshape(tf.constant(labels), shape), scores)
    wanted = [np.log1p(np.exp(-one if label else one)) for one, label in zip(scores.numpy().flat, labels, strict=True)]
    np.testing.assert_allclose(loss, np.mean(wanted), rtol=1e-5)
    comparing = tiny(ranking_loss=functools.partial(hinge, margin=2.0))
    with pytest.raises(ValueError, match="hinge compares candidates of one query, and each list holds one"):
        comparing.compute_loss({}, tf.reshape(tf.constant(labels), shape), scores)
    comparing.compile("adam")
    with pytest.raises(ValueError, match="binary_cross_entropy takes each candidate by itself"):
        comparing.fit(inputs, np.reshape(labels, shape), verbose=0)


def test_turns_are_a_query(directory: Path) -> None:
    pairs = TextPairEncoder(TextEncoder.from_directory(directory), separator=" and ")
    model = CrossEncoder(pairs, query="turns", item="answer")
    turns = tf.ragged.constant([["tea", "milk"], [], ["a"]], dtype=tf.string)
    answers = tf.constant([["b", "green"]] * 3)
    found = model({"turns": turns, "answer": answers})
    joined = model({"turns": tf.constant(["tea and milk", "", "a"]), "answer": answers})
    np.testing.assert_array_equal(found, joined)
    assert len(np.unique(np.asarray(found).round(5))) == 6


def features() -> tfdual.SequentialBlock:
    return InputBlock(PRICES, aggregation="concat") >> MLPBlock([3], activation="tanh")


def beside(batch: int, count: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(7)
    prices = chance.normal(size=(batch, count)).astype("float32")
    return {
        "age": chance.normal(size=batch).astype("float32"),
        "price": prices,
        "kind": chance.integers(0, 5, (batch, count)),
    }


@pytest.mark.parametrize("join", ["token", "state"])
def test_features_of_both_sides_go_with_their_pair(join: str) -> None:
    model = tiny(0, features=features(), join=join)
    inputs = {"query": np.array(QUERIES), "item": np.array(ITEMS), **beside(3, 3)}
    assert (model.query_columns, model.item_columns) == (["query", "age"], ["item", "price", "kind"])
    found = np.asarray(model(inputs))
    for row in range(3):
        for place in range(3):
            own = {name: inputs[name][row : row + 1] for name in model.query_columns}
            own |= {name: inputs[name][row, place : place + 1] for name in model.item_columns}
            np.testing.assert_allclose(model(own), found[row, place : place + 1], atol=1e-5)
    for changed in ("age", "price"):
        other = np.asarray(model(inputs | {changed: inputs[changed] + 1}))
        assert (np.abs(other - found) > 1e-6).all()
    ragged = {
        name: tf.RaggedTensor.from_row_lengths(inputs[name].reshape(-1)[:5], [3, 0, 2]) for name in model.item_columns
    }
    lists = np.asarray(model({name: inputs[name] for name in model.query_columns} | ragged))
    np.testing.assert_allclose(lists[0], found[0], atol=1e-5)
    assert np.isneginf(lists[1]).all()


@pytest.mark.parametrize("items", [[["tea", "a"], ["b", "milk"]], [["tea", "a"], ["b"]]])
def test_a_column_whose_lists_have_other_lengths_than_the_items_is_refused(items: list) -> None:
    """Else as many values would go to other candidates."""
    made = tf.ragged.constant if len(items[1]) == 1 else tf.constant
    price = Schema([ColumnSchema("price", [Tags.ITEM], dtype="float32")])
    model = tiny(features=InputBlock(price, aggregation="concat") >> MLPBlock([4]))
    model.compile("sgd")
    lengths = np.array([len(row) for row in items])
    values = np.arange(lengths.sum(), dtype="float32")
    inputs = {"query": tf.constant(["tea", "b"]), "item": made(items)}
    labels = tf.RaggedTensor.from_row_lengths(values % 2, lengths)
    right, wrong = (
        {"price": tf.RaggedTensor.from_row_lengths(values, row_lengths)} for row_lengths in (lengths, lengths + [-1, 1])
    )
    model.fit(tf.data.Dataset.from_tensors((inputs | right, labels)), verbose=0)
    message = "The column price has lists of other lengths than the items. Give one value a candidate"
    with pytest.raises(ValueError, match=message):
        model(inputs | wrong)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        model.fit(tf.data.Dataset.from_tensors((inputs | wrong, labels)), verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        model.predict(tf.data.Dataset.from_tensors(inputs | wrong), verbose=0)
    three = {"price": tf.ragged.constant([[1.0], [2.0], [3.0]])}
    with pytest.raises(ValueError, match="Give one value a candidate"):
        model(inputs | three)


def test_features_are_learned_where_the_texts_say_nothing_though_the_encoder_is_frozen() -> None:
    model = tiny(0, features=features(), ranking_loss=sampled_softmax)
    inputs = {"query": tf.constant(["tea"] * 16), "item": tf.constant([["milk"] * 4] * 16), **beside(16, 4)}
    labels = (inputs["price"] == inputs["price"].max(axis=1, keepdims=True)) * 1.0
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(tf.data.Dataset.from_tensors((inputs, labels)).repeat(60), verbose=0)
    right = np.argmax(model(inputs), axis=1) == np.argmax(inputs["price"], axis=1)
    assert right.mean() > 0.8


def test_beside_the_state_features_change_no_score_at_the_start(directory: Path) -> None:
    model = CrossEncoder.from_directory(directory, features=features(), join="state")
    inputs = {"query": np.array(QUERIES), "item": np.array(ITEMS), **beside(3, 3)}
    np.testing.assert_allclose(model(inputs), WANTED, atol=5e-5)


def test_ranks_are_those_of_the_scores(directory: Path) -> None:
    model = CrossEncoder.from_directory(directory)
    lists = [ITEMS[0], [], ITEMS[2][:2]]
    found = model.rank(QUERIES, lists, pairs_at_once=2)
    assert found.positions.tolist() == [
        np.argsort(-WANTED[0]).tolist(),
        [-1] * 3,
        [*np.argsort(-WANTED[2, :2]).tolist(), -1],
    ]
    np.testing.assert_allclose(found.scores[0], np.sort(WANTED[0])[::-1], atol=5e-5)
    assert np.isneginf(found.scores[1]).all()
    assert model.rank(QUERIES, lists, k=1).positions[:, 0].tolist() == found.positions[:, 0].tolist()
    assert model.rank([], []).positions.shape == (0, 0)
    with pytest.raises(ValueError, match="Received a text instead of a list"):
        model.rank(["tea"], ["milk"])
    with pytest.raises(ValueError, match="a list of candidates in 'item'. Received {'query': 2, 'item': 1}"):
        model.rank(["tea", "a"], [["milk"]])
    with pytest.raises(ValueError, match="k is at least 1"):
        model.rank(["tea"], [["milk"]], k=0)


def test_dialogues_without_turns_are_ranked_as_an_empty_text_is(directory: Path) -> None:
    pairs = TextPairEncoder(TextEncoder.from_directory(directory), separator=" and ")
    model = CrossEncoder(pairs)
    wanted = model.rank(["", "", "tea"], ITEMS)
    for block in (1, 6, 9):
        found = model.rank([[], [], ["tea"]], ITEMS, pairs_at_once=block)
        np.testing.assert_array_equal(found.positions, wanted.positions)
        np.testing.assert_allclose(found.scores, wanted.scores, atol=5e-5)
    np.testing.assert_allclose(model.rank([[], []], ITEMS[:2]).scores, wanted.scores[:2], atol=5e-5)


def test_lists_of_ids_are_ranked_by_where_a_block_holds_none() -> None:
    kinds = ColumnSchema("kinds", [Tags.USER, Tags.CATEGORICAL], {"domain": {"name": "kind", "max": 4}}, is_list=True)
    model = tiny(0, features=InputBlock(Schema([kinds]), aggregation="concat") >> MLPBlock([3]))
    queries = {"query": ["tea", "tea"], "kinds": [[], [1, 2]]}
    found = model.rank(queries, {"item": [["milk"], ["milk"]]}, pairs_at_once=1)
    inputs = {"query": tf.constant(["tea", "tea"]), "kinds": tf.ragged.constant([[], [1, 2]], dtype=tf.int64)}
    np.testing.assert_allclose(found.scores, model(inputs | {"item": tf.constant([["milk"]] * 2)}), atol=1e-5)


def test_ranks_by_further_columns_are_those_of_the_scores() -> None:
    model = tiny(0, features=features())
    inputs = {"query": np.array(QUERIES), "item": np.array(ITEMS), **beside(3, 3)}
    queries = {name: inputs[name].tolist() for name in model.query_columns}
    items = {name: inputs[name].tolist() for name in model.item_columns}
    found = model.rank(queries, items, pairs_at_once=4)
    np.testing.assert_array_equal(found.positions, np.argsort(-np.asarray(model(inputs)), axis=1))
    with pytest.raises(ValueError, match="and 'price'"):
        model.rank(queries, items | {"price": [[1.0], [], []]})


ASKED = ColumnSchema("asked", [Tags.USER], dtype="string")
TITLE = ColumnSchema("title", [Tags.ITEM], dtype="string")
ITEM_SCHEMA = Schema([TITLE, ColumnSchema("item_id", [Tags.ITEM_ID])])
TITLES = {10: "tea", 11: "milk", 12: "green tea", 13: "a b", 14: "milk and tea", 15: "b"}
TEXTS = ["green tea", "milk!", ""]
FirstStage = tuple[tfdual.TwoTowerModel, tfdual.Preprocessor, tfdual.Rows]


@pytest.fixture(scope="module")
def first_stage() -> FirstStage:
    columns = {"asked": (TEXTS * 2), "title": list(TITLES.values()), "item_id": list(TITLES)}
    rows = tfdual.read(pa.table(columns), Schema([ASKED, *ITEM_SCHEMA]))
    prep = tfdual.Preprocessor(rows.schema, {"asked": Passthrough(), "title": Passthrough()}).adapt(rows)
    encoder = tiny(0).encoder.encoder
    model = tfdual.TwoTowerModel(
        tfdual.TwoTowerBlock(prep.schema, BertTower(Schema([ASKED]), encoder), BertTower(Schema([TITLE]), encoder))
    )
    model.build()
    return model, prep, rows.select(ITEM_SCHEMA)


@pytest.fixture(scope="module")
def second_stage() -> CrossEncoder:
    model = tiny(0, query="asked", item="title")
    model.build()
    chance = np.random.default_rng(11)
    for weight in (*model.pooling.weights, *model.to_score.weights):
        weight.assign(chance.normal(size=weight.shape) * 0.3)  # so that no tanh is at its end, and no two scores alike
    return model


def best(model: CrossEncoder, text: str, titles: dict[int, str], k: int) -> list[int]:
    scores = {
        one: float(model({"asked": tf.constant([text]), "title": tf.constant([title])})[0])
        for one, title in titles.items()
    }
    return sorted(scores, key=scores.__getitem__, reverse=True)[:k]


def test_behind_a_first_stage_it_scores_the_strings_that_the_artefact_keeps(
    first_stage: FirstStage, second_stage: CrossEncoder, tmp_path: Path
) -> None:
    model, prep, items = first_stage
    index = tfdual.BruteForce().build(
        np.asarray(model.encode_item({"title": tf.constant(list(TITLES.values()))})),
        list(TITLES),
        model.embedding_space(prep),
    )
    retriever = model.to_retriever(
        items, index, prep, attributes=["title"], item_tower=False, reranker=second_stage.to_reranker(len(TITLES))
    )
    loaded = tfdual.Retriever.load(retriever.export(tmp_path / "models")).search({"asked": TEXTS}, k=4)
    assert loaded["id"].tolist() == [best(second_stage, text, TITLES, 4) for text in TEXTS]
    assert loaded["title"].tolist() == [[TITLES[one] for one in row] for row in loaded["id"].tolist()]
    pairs = {"asked": tf.repeat(tf.constant(TEXTS), 4), "title": tf.constant(loaded["title"].reshape(-1).tolist())}
    np.testing.assert_allclose(loaded["score"].reshape(-1), second_stage(pairs), atol=1e-4)


def test_it_orders_what_the_first_stage_found_and_what_was_added_since(
    first_stage: FirstStage, second_stage: CrossEncoder
) -> None:
    model, prep, items = first_stage
    both = model.to_retriever(items, preprocessor=prep, reranker=second_stage.to_reranker(3))
    queries = np.asarray(model.encode_query({"asked": tf.constant(TEXTS)}))
    vectors = np.asarray(model.encode_item({"title": tf.constant(list(TITLES.values()))}))
    first = np.array(list(TITLES))[np.argsort(-queries @ vectors.T, axis=1)[:, :3]].tolist()
    found = both.search({"asked": TEXTS}, k=3)["id"].tolist()
    assert found == [
        best(second_stage, text, {one: TITLES[one] for one in candidates}, 3)
        for text, candidates in zip(TEXTS, first, strict=True)
    ]
    assert found != first
    both.upsert({"title": ["green green", "tea and milk"], "item_id": [20, 10]})
    titles = TITLES | {20: "green green", 10: "tea and milk"}
    assert both.search({"asked": TEXTS}, k=7)["id"].tolist() == [best(second_stage, text, titles, 7) for text in TEXTS]


def test_a_saved_model_needs_no_directory(tmp_path: Path) -> None:
    folder = classifier(tmp_path / "model")
    options = {"features": features(), "ranking_loss": functools.partial(hinge, margin=2.0), "num_layers": 2}
    model = CrossEncoder.from_directory(folder, **options)
    inputs = {"query": tf.constant(QUERIES), "item": tf.constant(ITEMS), **beside(3, 3)}
    wanted = np.asarray(model(inputs))
    model.encoder.train_last("all")
    model.save(tmp_path / "cross.keras")
    for path in folder.iterdir():
        path.unlink()
    loaded = keras.saving.load_model(tmp_path / "cross.keras")
    np.testing.assert_allclose(loaded(inputs), wanted, atol=1e-6)
    assert loaded.encoder.encoder.transformer.trainable_layers == "all"
    assert loaded.get_config() == model.get_config()
    np.testing.assert_allclose(
        loaded.compute_loss({}, tf.eye(3), loaded(inputs)), model.compute_loss({}, tf.eye(3), wanted), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": "a", "item": "a"}, "reads two columns. Received 'a' for both"),
        ({"join": "late"}, "join is one of .*Received 'late'"),
        ({"num_layers": 2}, "num_layers is from 1 to 1"),
        ({"features": MLPBlock([3])}, "features is a block that reads columns"),
        ({"features": InputBlock(PRICES), "query": "age"}, r"The texts \['age'\] are read by the encoder"),
    ],
)
def test_bad_arguments_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**options)


def test_bad_inputs_are_refused() -> None:
    model = tiny(features=InputBlock(PRICES))
    with pytest.raises(ValueError, match="features gives one vector"):
        model.build()
    model = tiny(features=features())
    inputs = {"query": np.array(QUERIES), "item": np.array(ITEMS), **beside(3, 3)}
    with pytest.raises(ValueError, match=r"lacks the columns \['price', 'kind'\]"):
        model({name: inputs[name] for name in ("query", "age", "item")})
    with pytest.raises(ValueError, match=r"lists of candidates \(3, 3\), and their column 'price' as \(3,\)"):
        model(inputs | {"price": inputs["age"]})
    with pytest.raises(ValueError, match=r"lists \(batch, candidates\). 'item' has the shape \(1, 3, 3\)"):
        tiny()({"query": np.array(["tea"]), "item": np.array([ITEMS])})
    with pytest.raises(TypeError, match="two strings"):
        tiny()({"query": np.array([1]), "item": np.array(["a"])})
    plain = tiny()
    plain.compile("adam")
    with pytest.raises(ValueError, match="lists of candidates with a label each"):
        plain.fit({"query": tf.constant(["tea"]), "item": tf.constant([["a", "b"]])}, verbose=0)
