"""PolyEncoder: codes, scores and loss by hand, and from strings to a retriever in another process."""

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.features.text.tiny_model import DIM, LAYERS, PIECES, POSITIONS, bert_states, bert_tensors, write_model
from tests.index.test_poly_index import poly_scores
from tests.models.fresh_process import require_equal_answers
from tfdual import ColumnSchema, InputBlock, MLPBlock, Schema, Tags
from tfdual.evaluation import EvaluationOptions
from tfdual.features import TextEncoder
from tfdual.index import PolyIndex, ScaNN
from tfdual.models import PolyEncoder
from tfdual.models.dialogue_tokens import dialogue_ids
from tfdual.negatives import CrossBatchMemory, InBatch, MinedNegatives, TextNegatives
from tfdual.preprocessing import Passthrough
from tfdual.towers import BertTower, DualEncoderBlock

HISTORY = ColumnSchema("history", [Tags.USER], dtype="string", is_list=True)
CONTEXT = ColumnSchema("context", [Tags.USER], dtype="string")
ANSWER = ColumnSchema("answer", [Tags.ITEM], dtype="string")
OTHERS = ColumnSchema("others", [Tags.ITEM], dtype="string", is_list=True)
ANSWER_ID = ColumnSchema("answer_id", [Tags.ITEM_ID])
SCHEMA = Schema([HISTORY, ANSWER, ANSWER_ID])
CLS, SEP = 2, 3
WORDS = ["tea", "milk", "green", "teas", "a", "b"]
TEXTS = [f"{one} {other}!" for one in WORDS for other in WORDS]
ANSWERS = pa.table({"answer": TEXTS, "answer_id": range(100, 136)})
DIALOGUES = pa.table(
    {
        "history": [[f"{text} and", text.upper(), ""][: 1 + place % 3] for place, text in enumerate(TEXTS)],
        "context": TEXTS,
        "others": [[TEXTS[place - 1], TEXTS[place - 2]] for place in range(36)],
        **{name: ANSWERS[name] for name in ANSWERS.column_names},
    }
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def encoder(directory: Path) -> TextEncoder:
    return TextEncoder.from_directory(directory, trainable_layers=1)


def ids(*names: str) -> list[int]:
    return [PIECES.index(name) for name in names]


def read(encoder: TextEncoder, texts: object, max_length: int = 9, keep: str = "last") -> list[list[int]]:
    return dialogue_ids(encoder.tokenizer, texts, max_length, keep).to_list()


def test_turns_are_joined_by_the_token_that_ends_each(encoder: TextEncoder) -> None:
    turns = tf.ragged.constant([["Teas!", "milk"], ["a"]])
    assert read(encoder, turns) == [[CLS, *ids("tea", "##s", "!"), SEP, *ids("milk"), SEP], [CLS, *ids("a"), SEP]]
    assert read(encoder, tf.constant(["Teas!"])) == [[CLS, *ids("tea", "##s", "!"), SEP]]


def test_a_dialogue_keeps_its_last_tokens_or_its_first(encoder: TextEncoder) -> None:
    turns = tf.ragged.constant([["tea milk green", "a b a b"]])
    assert read(encoder, turns, 6, "last") == [[CLS, *ids("a", "b", "a", "b"), SEP]]
    assert read(encoder, turns, 6, "first") == [[CLS, *ids("tea", "milk", "green"), SEP, SEP]]
    assert read(encoder, turns, 3, "last") == [[CLS, *ids("b"), SEP]]


def test_of_a_turn_that_is_as_long_as_a_book_the_end_is_read(encoder: TextEncoder) -> None:
    book = "milk " * 10_000 + "green tea"
    assert read(encoder, tf.constant([book]), 4) == [[CLS, *ids("green", "tea"), SEP]]
    found = read(encoder, tf.ragged.constant([[book, book]]), 5)
    assert found == [[CLS, *ids("milk", "green", "tea"), SEP]]


def test_turns_that_say_nothing_are_left_out_and_a_dialogue_without_one_is_an_empty_text(encoder: TextEncoder) -> None:
    ragged = tf.ragged.constant([["", "tea", "  ", "milk"], [], [""]])
    wanted = [[CLS, *ids("tea"), SEP, *ids("milk"), SEP], [CLS, SEP], [CLS, SEP]]
    assert read(encoder, ragged) == wanted
    assert read(encoder, ragged.to_tensor("")) == wanted
    assert read(encoder, tf.constant([""])) == [[CLS, SEP]]
    assert read(encoder, tf.zeros([0, 3], tf.string)) == []


@pytest.mark.parametrize("texts", [tf.constant([1, 2]), tf.constant("tea"), tf.constant([[["tea"]]])])
def test_what_is_no_dialogue_is_refused(encoder: TextEncoder, texts: tf.Tensor) -> None:
    with pytest.raises(TypeError, match="A dialogue is a string, or a list of strings.*Received"):
        read(encoder, texts)


def states(*names: str) -> np.ndarray:
    """Of `[CLS] names [SEP]`, by NumPy."""
    return bert_states(bert_tensors(), [CLS, *ids(*names), SEP])


def codes_of(model: PolyEncoder, texts: list[str]) -> np.ndarray:
    return model.encode_query({"context": tf.constant(texts)}).numpy()


def of_context(encoder: TextEncoder, **options: object) -> PolyEncoder:
    model = PolyEncoder(Schema([CONTEXT, ANSWER, ANSWER_ID]), encoder, **options)
    model.build()
    return model


def test_a_learned_code_is_a_mean_of_all_states_weighed_by_its_vector(encoder: TextEncoder) -> None:
    model = of_context(encoder, codes=3)
    learned = model.query.codes.numpy().astype("float64")
    for text, names in (("green tea!", ["green", "tea", "!"]), ("", [])):
        wanted = []
        for vector in learned:
            shares = np.exp([vector @ state for state in states(*names)])
            wanted.append(
                sum(share / shares.sum() * state for share, state in zip(shares, states(*names), strict=True))
            )
        found = codes_of(model, ["milk milk milk milk", text])[1]
        np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("reduction", ["learned", "first", "last"])
def test_no_dialogue_has_no_code_also_in_training(encoder: TextEncoder, reduction: str) -> None:
    model = of_context(encoder, codes=3, reduction=reduction)
    codes = tf.function(lambda texts: model.encode_query({"context": texts}, training=True))
    assert codes(tf.zeros([0], tf.string)).shape == (0, 3, DIM)
    assert codes(tf.constant(["tea", "milk"])).shape == (2, 3, DIM)


@pytest.mark.parametrize("reduction", ["first", "last"])
def test_codes_are_the_states_of_the_first_or_last_tokens_and_zeros_where_there_are_none(
    encoder: TextEncoder, reduction: str
) -> None:
    model = of_context(encoder, codes=4, reduction=reduction)
    found = codes_of(model, ["green tea!", "tea", "milk a b a b a"])
    wanted = states("green", "tea", "!")
    np.testing.assert_allclose(found[0], wanted[:4] if reduction == "first" else wanted[-4:], atol=2e-5)
    there = np.any(found[1] != 0, axis=1)
    assert there.sum() == 3
    np.testing.assert_allclose(found[1][there], states("tea"), atol=2e-5)


def test_one_code_that_is_the_first_state_scores_as_a_bi_encoder_that_pools_it(directory: Path) -> None:
    first = TextEncoder.from_directory(directory, pooling="cls", normalize=True)
    poly = of_context(first, codes=1, reduction="first", scale=5.0)
    towers = DualEncoderBlock(BertTower(Schema([CONTEXT]), first), BertTower(Schema([ANSWER]), first))
    bi = tfdual.TwoTowerModel(towers, item_id="answer_id")
    bi.build()
    batch = {"context": tf.constant(TEXTS[:5]), "answer": tf.constant(TEXTS[3:9])}
    encoded = [(model.encode_query(batch), model.encode_item(batch)) for model in (poly, bi)]
    (few, many), (query, item) = encoded
    np.testing.assert_allclose(poly.score(few, many), bi.score(query, item), atol=1e-5)


def test_codes_of_an_encoder_that_normalises_have_length_1(directory: Path) -> None:
    model = of_context(TextEncoder.from_directory(directory, normalize=True), codes=6, reduction="last")
    lengths = np.linalg.norm(codes_of(model, ["tea", "green tea and milk!"]), axis=2)
    np.testing.assert_allclose(lengths, [[0, 0, 0, 1, 1, 1], [1] * 6], atol=1e-5)


def test_training_and_inference_encode_alike(directory: Path) -> None:
    encoder = TextEncoder.from_directory(directory, trainable_layers=1, dropout=0.0)
    for reduction in ("learned", "last"):
        model = of_context(encoder, codes=5, reduction=reduction)
        inputs = {"context": tf.constant([*TEXTS, ""])}
        np.testing.assert_allclose(model.encode_query(inputs, True), model.encode_query(inputs), atol=2e-5)


def batch(*columns: str) -> dict[str, tf.Tensor]:
    names = [*columns, "history", "answer"]
    found = {name: DIALOGUES[name].to_pylist()[:8] for name in names}
    ready = {
        name: tf.ragged.constant(values) if isinstance(values[0], list) else tf.constant(values)
        for name, values in found.items()
    }
    return ready | {"answer_id": tf.constant([1, 2, 3, 4, 5, 6, 6, 8], tf.int64)}


def loss_by_hand(scores: np.ndarray, kept: np.ndarray) -> float:
    """The mean softmax loss of the diagonal among what is kept of each row."""
    losses = []
    for row in range(len(scores)):
        others = [score for score, there in zip(scores[row], kept[row], strict=True) if there]
        losses.append(np.log(np.exp(scores[row, row]) + np.sum(np.exp(others))) - scores[row, row])
    return float(np.mean(losses))


def test_the_loss_is_the_softmax_of_the_scores_of_the_batch(encoder: TextEncoder) -> None:
    model = PolyEncoder(SCHEMA, encoder, codes=3, temperature=2.0, sampling_correction=False)
    inputs = batch()
    outputs = model(inputs)
    scores = poly_scores(outputs["query"].numpy(), outputs["item"].numpy()) / 2
    own = inputs["answer_id"].numpy()
    found = float(model.compute_loss(inputs, None, outputs))
    assert found == pytest.approx(loss_by_hand(scores, own[:, None] != own), rel=1e-4)


@pytest.mark.parametrize("shared", [True, False])
def test_given_candidates_are_negatives_of_the_batch_or_of_their_row_and_the_right_one_is_not(
    directory: Path, shared: bool
) -> None:
    encoder = TextEncoder.from_directory(directory, trainable_layers=1, dropout=0.0)
    source = InBatch() + TextNegatives("others", "answer", "answer_id", shared)
    model = PolyEncoder(SCHEMA, encoder, codes=3, temperature=4.0, sampling_correction=False, negatives=source)
    inputs = batch("others") | {"answer_id": tf.range(1, 9, dtype=tf.int64)}
    own = [text.decode() for text in inputs["answer"].numpy()]
    named = [(row, text.decode()) for row, texts in enumerate(inputs["others"].to_list()) for text in texts]
    texts = own + [text for _, text in named]
    outputs = model(inputs)
    items = model.encode_item({"answer": tf.constant(texts)}).numpy()
    scores = poly_scores(outputs["query"].numpy(), items) / 4
    kept = np.array([[text != right for text in texts] for right in own])
    assert (~kept).sum() > 8
    if not shared:
        kept[:, 8:] &= [[row == place for row, _ in named] for place in range(8)]
    found = float(model.compute_loss(inputs, None, outputs))
    assert found == pytest.approx(loss_by_hand(scores, kept), rel=1e-4)


@pytest.mark.parametrize("margin", [None, -1e3])
def test_mined_and_remembered_items_are_negatives(directory: Path, margin: float | None) -> None:
    encoder = TextEncoder.from_directory(directory, trainable_layers=1, dropout=0.0)
    answer_id = ColumnSchema("answer_id", [Tags.ITEM, Tags.ITEM_ID], {"domain": {"max": 20}})
    block = InputBlock(Schema([answer_id]), aggregation="concat") >> MLPBlock([DIM])
    mined = MinedNegatives(2, ranks=(0, 2), margin=margin).adapt(
        [{"answer_id": np.array([11, 12])}],
        lambda query, k: (np.tile([0, 1], (len(query), 1)), np.zeros((len(query), 2))),
        item_id="answer_id",
    )
    source = InBatch() + mined + CrossBatchMemory(8)
    options = {"codes": 3, "temperature": 4.0, "sampling_correction": False, "negatives": source}
    model = PolyEncoder(Schema([HISTORY, answer_id]), encoder, item=block, **options)
    inputs = batch() | {"answer_id": tf.range(1, 9, dtype=tf.int64)}
    outputs = model(inputs)
    items = model.encode_item({"answer_id": tf.constant([*range(1, 9), *[11, 12] * 8], tf.int64)}).numpy()
    scores = poly_scores(outputs["query"].numpy(), items) / 4
    kept = np.concatenate([~np.eye(8, dtype=bool), np.ones((8, 16), bool)], axis=1)
    wanted = loss_by_hand(scores, kept)
    again = loss_by_hand(np.concatenate([scores, scores[:, :8]], axis=1), np.concatenate([kept, kept[:, :8]], axis=1))
    for loss in (wanted, again):  # the memory holds the batch once it was seen
        assert float(model.compute_loss(inputs, None, outputs)) == pytest.approx(loss, rel=1e-4)


def test_a_gradient_reaches_the_codes_both_encoders_and_the_projection(directory: Path) -> None:
    one, other = (TextEncoder.from_directory(directory, trainable_layers=1) for _ in range(2))
    model = PolyEncoder(SCHEMA, one, other, codes=3, post=[keras.layers.Dense(4), "l2-norm"], sampling_correction=False)
    model(batch())
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch(), None, model(batch(), training=True))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    dead = [
        weight.path
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True)
        if gradient is None or not np.abs(gradient).max() > 0
    ]
    assert dead == []
    assert model.query.codes.path in [weight.path for weight in model.trainable_weights]


def test_both_sides_share_the_encoder_and_what_follows_it(encoder: TextEncoder) -> None:
    model = of_context(encoder, codes=2, post=[keras.layers.Dense(4, use_bias=False), "l2-norm"])
    assert len({id(weight) for weight in model.weights}) == len(model.weights)
    assert sum("kernel" in weight.name for weight in model.weights) == 4 * LAYERS + 1
    assert model.encode_item({"answer": tf.constant(["tea"])}).shape == (1, 4)


def test_an_item_that_is_too_long_keeps_its_first_tokens(encoder: TextEncoder) -> None:
    found = of_context(encoder).encode_item({"answer": tf.constant(["milk " * 10_000, "tea"])}).numpy()
    np.testing.assert_allclose(found[0], states(*["milk"] * (POSITIONS - 2)).mean(axis=0), atol=2e-5)
    np.testing.assert_allclose(found[1], states("tea").mean(axis=0), atol=2e-5)


@pytest.mark.parametrize("only", ["the right one", "a wrong one"])
def test_one_candidate_is_nothing_to_learn_from_where_it_is_the_right_one(directory: Path, only: str) -> None:
    encoder = TextEncoder.from_directory(directory, trainable_layers=1, dropout=0.0)
    source = TextNegatives("others", "answer", "answer_id")
    model = PolyEncoder(SCHEMA, encoder, codes=3, temperature=4.0, sampling_correction=False, negatives=source)
    inputs = {name: values[:1] for name, values in batch("others").items()}
    named = "tea milk!" if only == "a wrong one" else inputs["answer"].numpy()[0].decode()
    inputs["others"] = tf.ragged.constant([[named]])
    outputs = model(inputs)
    items = tf.concat([outputs["item"], model.encode_item({"answer": tf.constant([named])})], axis=0)
    scores = poly_scores(outputs["query"].numpy(), items.numpy())[0] / 4
    wanted = np.logaddexp(*scores) - scores[0] if only == "a wrong one" else 0
    assert float(model.compute_loss(inputs, None, outputs)) == pytest.approx(wanted, rel=1e-4, abs=1e-7)


def prepared(schema: Schema) -> tuple[tfdual.Rows, tfdual.Preprocessor]:
    rows = tfdual.read(DIALOGUES.select(schema.column_names), schema)
    texts = {column.name: Passthrough() for column in schema if column.dtype == "string"}
    return rows, tfdual.Preprocessor(schema, texts).adapt(rows)


def fitted(model: PolyEncoder, rows: tfdual.Rows, prep: tfdual.Preprocessor) -> list[float]:
    model.compile(tfdual.LazyAdam(3e-3))
    history = model.fit(rows.batch(12, shuffle=True, seed=0).map(prep), epochs=4, verbose=0)
    return history.history["loss"]


@pytest.mark.slow
def test_from_turns_to_a_retriever_in_another_process(directory: Path, tmp_path: Path) -> None:
    rows, prep = prepared(SCHEMA)
    encoder = TextEncoder.from_directory(directory, trainable_layers="all", dropout=0.0)
    model = PolyEncoder(SCHEMA, encoder, codes=4, post="l2-norm", scale=5.0, seed=0)
    losses = fitted(model, rows, prep)
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    inputs = batch()
    wanted = model.score(model.encode_query(inputs), model.encode_item(inputs)).numpy()
    np.testing.assert_allclose(loaded.score(loaded.encode_query(inputs), loaded.encode_item(inputs)), wanted, atol=1e-5)

    items = tfdual.read(ANSWERS, Schema([ANSWER, ANSWER_ID]))
    retriever = loaded.to_retriever(items, preprocessor=prep, attributes=["answer"])
    queries = {"history": [["tea and", "TEA TEA!"], ["milk"], []]}
    found = retriever.search(queries, 5)
    encoded = model.encode_query({"history": tf.ragged.constant(queries["history"])}).numpy()
    scores = poly_scores(encoded, model.encode_item({"answer": tf.constant(TEXTS)}).numpy(), 5.0)
    np.testing.assert_allclose(found["score"], np.sort(scores, axis=1)[:, ::-1][:, :5], atol=1e-5)
    assert found["answer"].tolist() == [[TEXTS[name - 100] for name in row] for row in found["id"]]
    pairs = retriever.score(queries, {"answer": TEXTS[:3]})
    np.testing.assert_allclose(pairs, scores[np.arange(3), np.arange(3)], atol=1e-5)
    require_equal_answers(retriever, tmp_path / "served", queries, 5)


@pytest.mark.slow
def test_a_first_stage_of_all_items_is_served_and_finds_what_all_scores_do(
    encoder: TextEncoder, tmp_path: Path
) -> None:
    schema = Schema([CONTEXT, ANSWER, ANSWER_ID])
    _, prep = prepared(schema)
    model = of_context(encoder, codes=4)
    items = tfdual.read(ANSWERS, Schema([ANSWER, ANSWER_ID]))
    exact = model.to_retriever(items, preprocessor=prep).search({"context": TEXTS}, 7)
    retriever = model.to_retriever(items, PolyIndex(ScaNN(), candidates=36), prep)
    retriever.export(tmp_path / "served")
    loaded = tfdual.Retriever.load(tmp_path / "served")
    found = loaded.search({"context": TEXTS}, 7, exclude=[[]] * 36)
    np.testing.assert_allclose(found["score"], exact["score"], atol=1e-4)
    excluded = loaded.search({"context": TEXTS[:1]}, 6, exclude=[exact["id"][0, :1].tolist()])
    assert excluded["id"][0].tolist() == exact["id"][0, 1:].tolist()


def test_the_corpus_and_lists_of_candidates_are_evaluated(encoder: TextEncoder) -> None:
    rows, prep = prepared(SCHEMA)
    model = PolyEncoder(SCHEMA, encoder, codes=4)
    items = tfdual.read(ANSWERS, Schema([ANSWER, ANSWER_ID]))
    report = tfdual.evaluate(model, rows, items, ks=(1, 5), preprocessor=prep)
    inputs = {"history": tf.ragged.constant(DIALOGUES["history"].to_pylist()), "answer": tf.constant(TEXTS)}
    scores = poly_scores(model.encode_query(inputs).numpy(), model.encode_item(inputs).numpy())
    ranks = (scores >= np.diag(scores)[:, None]).sum(axis=1)
    assert report["recall@5"] == pytest.approx(np.mean(ranks <= 5), abs=1 / 35)

    lists = [[100 + place, 100 + (place + 1) % 36] for place in range(36)]
    schema = Schema([*SCHEMA, ColumnSchema("candidates", dtype="int64", is_list=True)])
    asked = tfdual.read(DIALOGUES.append_column("candidates", pa.array(lists)).select(schema.column_names), schema)
    options = EvaluationOptions(candidates="candidates")
    report = tfdual.evaluate(model, asked, items, ks=(1,), preprocessor=prep, options=options)
    better = [scores[place, place] > scores[place, (place + 1) % 36] for place in range(36)]
    assert report["recall@1"] == pytest.approx(np.mean(better), abs=1e-6)


def test_an_item_may_be_a_block_of_further_columns(encoder: TextEncoder, directory: Path, tmp_path: Path) -> None:
    price = ColumnSchema("price", [Tags.ITEM], dtype="float32")
    other = TextEncoder.from_directory(directory)
    features = tfdual.InputBlock(Schema([ANSWER, price]), encoders={"answer": other}, aggregation="concat")
    model = PolyEncoder(SCHEMA, encoder, features >> tfdual.MLPBlock([DIM], no_activation_last_layer=True), codes=2)
    inputs = batch() | {"price": tf.range(8.0)}
    wanted = model(inputs)["item"].numpy()
    assert sorted(model.item_columns) == ["answer", "price"]
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(inputs)["item"], wanted, atol=1e-5)


def test_parts_of_a_batch_train_as_the_whole(directory: Path) -> None:
    weights = []
    for parts in (1, 3):
        encoder = TextEncoder.from_directory(directory, trainable_layers=1, dropout=0.0)
        model = PolyEncoder(SCHEMA, encoder, codes=3, parts=parts, sampling_correction=False, seed=1)
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        model.fit(tf.data.Dataset.from_tensors(batch()), verbose=0)
        weights.append([weight.numpy() for weight in model.trainable_weights])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_mixed_precision_is_near_float32(directory: Path) -> None:
    encoder = TextEncoder.from_directory(directory)
    half = TextEncoder.from_directory(directory, dtype="mixed_bfloat16")
    one, other = of_context(encoder, codes=3, seed=0), of_context(half, codes=3, seed=0, dtype="mixed_bfloat16")
    assert other.query.compute_dtype == "bfloat16"
    np.testing.assert_allclose(codes_of(one, TEXTS), tf.cast(codes_of(other, TEXTS), tf.float32), atol=0.2)


def test_the_seed_makes_the_same_codes(encoder: TextEncoder) -> None:
    one, same, other = (of_context(encoder, codes=3, seed=seed).query.codes.numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codes": 0}, "1 code or more. Received codes=0"),
        ({"reduction": "mean"}, r"reduction is one of \['learned', 'first', 'last'\]. Received 'mean'"),
        ({"keep": "middle"}, "keep is 'first' or 'last'.*Received 'middle'"),
        ({"query_length": 2}, f"query_length is from 3 to {POSITIONS}.*Received 2"),
        ({"query_length": POSITIONS + 1}, f"query_length is from 3 to {POSITIONS}.*Received {POSITIONS + 1}"),
        ({"scale": 0.0}, "number above 0. Received 0.0"),
        ({"temperature": 0.0}, "temperature must be above 0"),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(encoder: TextEncoder, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PolyEncoder(SCHEMA, encoder, **options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([ANSWER, ANSWER_ID], r"one column of strings, or of lists.*has \[\] among \['answer', 'answer_id'\]"),
        ([HISTORY, CONTEXT, ANSWER, ANSWER_ID], r"has \['history', 'context'\]"),
        ([HISTORY, ANSWER_ID], "A BertTower reads one column of strings"),
        ([HISTORY, ANSWER], "0 columns tagged ITEM_ID"),
    ],
)
def test_not_one_column_for_a_side_is_refused(encoder: TextEncoder, columns: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PolyEncoder(Schema(columns), encoder)


def test_items_of_another_width_and_an_index_of_another_scale_are_refused(encoder: TextEncoder) -> None:
    item = tfdual.InputBlock(
        Schema([ColumnSchema("v", [Tags.ITEM], dtype="float32", dims=(None, 3))]), aggregation="concat"
    )
    with pytest.raises(ValueError, match="The codes have 8, and the items 3. End the item's block in 8"):
        PolyEncoder(SCHEMA, encoder, item).build()
    _, prep = prepared(SCHEMA)
    items = tfdual.read(ANSWERS, Schema([ANSWER, ANSWER_ID]))
    with pytest.raises(
        ValueError, match=r"scores by PolyAttention\(scale=3.0\), and this PolyIndex by PolyAttention\(scale=1.0\)"
    ):
        PolyEncoder(SCHEMA, encoder, scale=3.0).to_retriever(items, PolyIndex(), prep)
    with pytest.raises(ValueError, match="and this BruteForce by InnerProduct.* Take a PolyIndex of the same"):
        tfdual.evaluate(PolyEncoder(SCHEMA, encoder), items, items, preprocessor=prep, index=tfdual.BruteForce())


def test_a_batch_without_the_text_is_refused(encoder: TextEncoder) -> None:
    model = PolyEncoder(SCHEMA, encoder)
    model.build()
    with pytest.raises(ValueError, match="lacks the texts of the queries, column 'history'. It has"):
        model.encode_query({"answer": tf.constant(["tea"])})
