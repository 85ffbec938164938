"""Late interaction: vectors of tokens by hand, training, saving, evaluation and serving."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.features.text.tiny_model import DIM, PIECES, bert_states, bert_tensors, write_model
from tests.models.fresh_process import require_equal_answers
from tfdual import ColumnSchema, Schema, Tags
from tfdual.evaluation import EvaluationOptions
from tfdual.features import TextEncoder
from tfdual.features.text import TextTransformer, WordPieceTokenizer
from tfdual.features.text.token_vectors import TokenVectors
from tfdual.index.max_sim_index import MaxSimIndex
from tfdual.interactions.max_sim import MaxSim
from tfdual.models.late_interaction_model import LateInteractionModel
from tfdual.preprocessing import Passthrough

CLS, SEP, MASK = 2, 3, 4
TEXTS = ["Teas, and milk!", "", "tea", "!!, !", "tea"]
IDS = [[2, 5, 6, 11, 8, 7, 10, 3], [2, 3], [2, 5, 3], [2, 10, 10, 11, 10, 3], [2, 5, 3]]
PUNCTUATION = {10, 11}

WORDS = ["tea", "milk", "green", "teas", "a", "b"]
TABLE = pa.table(
    {
        "question": [f"{one} and {other}" for one in WORDS for other in WORDS],
        "title": [f"{other}, {one}!" for one in WORDS for other in WORDS],
        "item_id": range(len(WORDS) ** 2),
    }
)
QUERY = ColumnSchema("question", [Tags.USER, Tags.TEXT], dtype="string")
ITEM = ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string")
ITEM_ID = ColumnSchema("item_id", [Tags.ITEM_ID])
SCHEMA = Schema([QUERY, ITEM, ITEM_ID])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


def encoder(directory: Path, **options: Any) -> TextEncoder:
    return TextEncoder.from_directory(directory, **options)


def small_encoder(pieces: list[str] = PIECES, **options: Any) -> TextEncoder:
    """One layer, with weights at random."""
    sizes = {"num_layers": 1, "num_heads": 2, "dim": DIM, "feed_forward_dim": 12, "max_length": 20, "dropout": 0}
    return TextEncoder(WordPieceTokenizer(pieces), TextTransformer(len(pieces), **sizes | options), max_length=20)


def of_length_1(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("training", [False, True])
def test_item_vectors_are_the_states_of_bert_without_punctuation(directory: Path, training: bool) -> None:
    layer = TokenVectors(encoder(directory, dropout=0), skip_punctuation=True)
    found = layer(tf.constant(TEXTS), training=training).numpy()
    assert found.shape == (5, 8, DIM)
    for row, ids in zip(found, IDS, strict=True):
        wanted = np.zeros((8, DIM))
        wanted[: len(ids)] = of_length_1(bert_states(bert_tensors(), ids))
        wanted[[place for place, one in enumerate(ids) if one in PUNCTUATION]] = 0
        np.testing.assert_allclose(row, wanted, atol=2e-5)


@pytest.mark.parametrize("training", [False, True])
def test_queries_are_filled_with_masks_that_read_the_text_and_are_not_read(directory: Path, training: bool) -> None:
    projection = keras.layers.Dense(4, use_bias=False)
    layer = TokenVectors(encoder(directory, dropout=0), projection, max_length=10, augment=True)
    found = layer(tf.constant(TEXTS), training=training).numpy()
    assert found.shape == (5, 10, 4)
    for row, ids in zip(found, IDS, strict=True):
        states = bert_states(bert_tensors(), [*ids, *[MASK] * (10 - len(ids))], read=len(ids))
        np.testing.assert_allclose(row, of_length_1(states @ projection.kernel.numpy()), atol=5e-5)


def test_a_marker_stands_after_the_first_token(directory: Path) -> None:
    layer = TokenVectors(encoder(directory), max_length=6, marker="green")
    found = layer(tf.constant(["tea", "tea tea milk milk milk"])).numpy()
    for row, ids in zip(found, [[2, 9, 5, 3], [2, 9, 5, 5, 7, 3]], strict=True):
        wanted = np.zeros((6, DIM))
        wanted[: len(ids)] = of_length_1(bert_states(bert_tensors(), ids))
        np.testing.assert_allclose(row, wanted, atol=2e-5)


@pytest.mark.parametrize("augment", [False, True])
def test_a_text_has_the_same_vectors_in_any_batch(
    directory: Path, augment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = TokenVectors(encoder(directory), keras.layers.Dense(4), max_length=12, augment=augment)
    texts = [" ".join(["tea", "milk", "green"][: 1 + i % 3] * (1 + i % 4)) for i in range(30)]
    monkeypatch.setattr("tfdual.features.text.token_vectors.TOKENS_AT_ONCE", 16)
    whole = layer(tf.constant(texts)).numpy()
    for row, text in zip(whole, texts, strict=True):
        alone = layer(tf.constant([text])).numpy()[0]
        np.testing.assert_allclose(row[: len(alone)], alone, atol=2e-5)
        assert not row[len(alone) :].any()
    assert layer(tf.zeros([0], tf.string)).shape[0] == 0


def model_of(separate: bool = False, pieces: list[str] = PIECES, **options: Any) -> LateInteractionModel:
    one, other = small_encoder(pieces), small_encoder(pieces) if separate else None
    settings = {"dim": 4, "query_length": 8, "item_length": 9, "sampling_correction": False} | options
    return LateInteractionModel(SCHEMA, one, other, **settings)


def by_hand(query: np.ndarray, item: np.ndarray) -> np.ndarray:
    return np.array(
        [
            [sum(max(one @ other for other in right if other.any()) for one in left if one.any()) for right in item]
            for left in query
        ]
    )


def encoded(model: LateInteractionModel) -> tuple[np.ndarray, np.ndarray]:
    columns = {name: tf.constant(TABLE[name].to_pylist()) for name in ("question", "title")}
    return model.encode_query(columns).numpy(), model.encode_item(columns).numpy()


def test_the_loss_is_the_softmax_of_sums_of_best_matches() -> None:
    model = model_of(temperature=0.5)
    model.compile()
    query, item = encoded(model)
    scores = by_hand(query, item) / 0.5
    wanted = np.mean(np.log(np.exp(scores).sum(axis=1)) - np.diag(scores))
    columns = {name: tf.constant(TABLE[name].to_pylist()) for name in TABLE.column_names}
    loss = model.evaluate(tf.data.Dataset.from_tensors(columns), verbose=0)
    np.testing.assert_allclose(loss, wanted, rtol=1e-4)
    assert model.score(query[:3], item).shape == (3, 36)
    assert isinstance(model.interaction, MaxSim)


def prepared() -> tuple[tfdual.Rows, tfdual.Preprocessor]:
    rows = tfdual.read(TABLE, SCHEMA)
    return rows, tfdual.Preprocessor(SCHEMA, {"question": Passthrough(), "title": Passthrough()}).adapt(rows)


@pytest.mark.parametrize("separate", [False, True])
def test_it_saves_and_loads(tmp_path: Path, separate: bool) -> None:
    model = model_of(separate)
    model.build()
    query, item = encoded(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(encoded(loaded), (query, item), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert len(loaded.weights) == len(model.weights)
    of_one = len(model.encoder.weights) + 1
    assert len(model.query.weights + model.item.weights) == 2 * of_one
    assert len({id(weight) for weight in model.query.weights + model.item.weights}) == (1 + separate) * of_one
    assert loaded.objective.temperature == 1


def test_a_transformer_of_two_encoders_is_one_when_loaded(tmp_path: Path) -> None:
    query = small_encoder()
    item = TextEncoder(WordPieceTokenizer(PIECES), query.transformer, max_length=12)
    model = LateInteractionModel(SCHEMA, query, dim=4, query_length=8, item_encoder=item, sampling_correction=False)
    model.build()
    expected = encoded(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.item_encoder.transformer is loaded.encoder.transformer
    for one, other in zip(encoded(loaded), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_training_finds_the_right_titles() -> None:
    keras.utils.set_random_seed(0)
    model = model_of(dim=8, augment=False, temperature=0.1, num_layers=1, sampling_correction=None)
    rows, prep = prepared()
    model.compile(tfdual.LazyAdam(2e-2))
    batches = rows.batch(36, shuffle=True, seed=0).map(prep)
    history = model.fit(batches.repeat(), epochs=2, steps_per_epoch=30, verbose=0).history["loss"]
    assert history[1] < 0.7 * history[0]
    report = tfdual.evaluate(model, rows, rows, (1, 5), prep)
    query, item = encoded(model)
    scores = by_hand(query, item)
    ranks = (scores >= np.diag(scores)[:, None] - 1e-5).sum(axis=1)
    np.testing.assert_allclose(report["recall@5"], np.mean(ranks <= 5), atol=0.06)
    assert report["recall@5"] > 0.6
    assert report.settings["index"]["kind"] == "MaxSimIndex"


def test_candidates_are_ranked_by_the_models_scores() -> None:
    rows, prep = prepared()
    model = model_of()
    lists = np.random.default_rng(0).permuted(np.tile(np.arange(36), (36, 1)), axis=1)[:, :6]
    lists[:, 2] = np.arange(36)
    table = TABLE.append_column("among", pa.array(lists.tolist(), pa.list_(pa.int64())))
    asked = tfdual.read(table, Schema([*SCHEMA, ColumnSchema("among", is_list=True)]))
    report = tfdual.evaluate(model, asked, rows, (1, 3), prep, options=EvaluationOptions(candidates="among"))
    query, item = encoded(model)
    scores = by_hand(query, item)
    shown = [sorted(set(row), key=lambda place: -scores[i, place])[:3] for i, row in enumerate(lists.tolist())]
    np.testing.assert_allclose(report["recall@3"], np.mean([i in row for i, row in enumerate(shown)]), atol=0.06)


def test_it_is_served_in_a_process_of_its_own(tmp_path: Path) -> None:
    rows, prep = prepared()
    model = model_of()
    query, item = encoded(model)
    new = model.encode_item({"title": tf.constant(["tea, milk"])}).numpy()
    scores = np.concatenate([by_hand(query, item), by_hand(query, new)], axis=1)
    index = MaxSimIndex(tfdual.BruteForce(), candidates=36, neighbours=200)
    retriever = model.to_retriever(rows.select(Schema([ITEM, ITEM_ID])), index, prep)
    retriever.upsert({"title": ["tea, milk"], "item_id": [99]})
    found = retriever.search({"question": TABLE["question"].to_pylist()}, k=37)
    np.testing.assert_allclose(found["score"], -np.sort(-scores, axis=1), atol=1e-4)
    np.testing.assert_allclose(found["score"][found["id"] == 99], scores[:, 36], atol=1e-4)
    hidden = retriever.search({"question": ["tea and milk"]}, k=3, exclude=[found["id"][1, :3].tolist()])
    assert not set(hidden["id"][0]) & set(found["id"][1, :3])
    pairs = {name: TABLE[name].to_pylist()[:5] for name in ("question", "title")}
    first, second = ({name: pairs[name]} for name in pairs)
    np.testing.assert_allclose(retriever.score(first, second), np.diag(scores)[:5], atol=1e-4)
    assert retriever.embed_query({"question": ["tea"]}).shape == (1, 8, 4)
    require_equal_answers(retriever, tmp_path / "served", {"question": ["", "tea, milk", "unknown words"]}, k=4)


def test_the_item_side_names_the_space() -> None:
    _, prep = prepared()
    model = model_of(separate=True)
    space = model.embedding_space(prep)
    model.query.projection.kernel.assign(model.query.projection.kernel + 1)
    assert model.embedding_space(prep) == space
    model.item.projection.kernel.assign(model.item.projection.kernel + 1)
    assert model.embedding_space(prep) != space
    other = LateInteractionModel.from_config(model.get_config() | {"skip_punctuation": False})
    other.build()
    other.set_weights(model.get_weights())
    assert other.embedding_space(prep) != model.embedding_space(prep)


def test_empty_and_long_texts_and_punctuation_have_vectors() -> None:
    model = model_of(item_length=5)
    query = model.encode_query({"question": tf.constant(["", "tea " * 500, "\xff!"])}).numpy()
    assert query.shape == (3, 8, 4)
    np.testing.assert_allclose(np.linalg.norm(query, axis=2), 1, atol=1e-5)
    item = model.encode_item({"title": tf.constant(["", "tea " * 500, "!!!", "tea!!!!! milk"])}).numpy()
    assert item.any(axis=2).sum(axis=1).tolist() == [2, 5, 2, 3]  # [CLS] tea ! ! [SEP]
    assert np.isfinite(model.score(query, item)).all()


def test_options_of_colbert_can_be_left_out() -> None:
    model = model_of(dim=None, augment=False, skip_punctuation=False, item_length=None)
    texts = tf.constant(TEXTS)
    query, item = model.encode_query({"question": texts}), model.encode_item({"title": texts})
    np.testing.assert_array_equal(query, item)
    assert query.shape == (5, 8, DIM)
    assert not [weight for weight in model.weights if "projection" in weight.path]


def test_a_config_makes_the_same_model() -> None:
    model = model_of(markers=("a", "b"), num_layers=1, symmetric=True, dim=3)
    model.encoder.transformer.train_last(0)
    copy = LateInteractionModel.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert (copy.query.marker, copy.item.marker, copy.dim) == ("a", "b", 3)
    assert copy.encoder.transformer.trainable_layers == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim is at least 1"),
        ({"query_length": 2}, "max_length is from 3 to 20.*Received 2"),
        ({"item_length": 21}, "max_length is from 3 to 20.*Received 21"),
        ({"query_length": 3, "markers": ("a", "b")}, "max_length is from 4"),
        ({"markers": ("[Q]", "[D]")}, r"no piece \[Q\]: take another marker, or none"),
        ({"num_layers": 2}, "num_layers is from 1 to 1.*Received 2"),
        ({"num_layers": 0}, "num_layers is from 1 to 1.*Received 0"),
        ({"temperature": -1.0}, "temperature must be above 0"),
    ],
)
def test_bad_arguments_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_of(**options)


def test_a_vocabulary_without_masks_fills_nothing_up() -> None:
    pieces = ["x" if piece == "[MASK]" else piece for piece in PIECES]
    with pytest.raises(ValueError, match=r"no piece \[MASK\] or <mask>: leave augment out"):
        model_of(pieces=pieces)
    assert model_of(pieces=pieces, augment=False).query.augment is False


@pytest.mark.parametrize("schema", [Schema([QUERY, ITEM_ID]), Schema([QUERY, ITEM, ITEM.with_name("text"), ITEM_ID])])
def test_not_one_text_a_side_is_refused(schema: Schema) -> None:
    with pytest.raises(ValueError, match="reads one column of text tagged ITEM"):
        LateInteractionModel(schema, small_encoder())


def test_encoders_of_two_widths_need_a_projection() -> None:
    model = model_of(separate=True, dim=None)
    model.item.encoder.transformer.dim = DIM + 1
    with pytest.raises(ValueError, match="both encoders have one width. Received 8 and 9"):
        model.build()


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="takes strings, one a row"):
        model_of().encode_item({"title": tf.constant([1, 2])})
