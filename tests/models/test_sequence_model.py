"""SequenceModel: every position of a list a pair, against NumPy; what it learns, refuses, saves and serves."""

from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.models.fresh_process import require_equal_answers
from tests.models.trained_alike import dtype_policy, require_equal_training, saved_and_loaded
from tests.sample_columns import domain
from tests.transformer_by_hand import transformed
from tfdual import ColumnSchema, LazyAdam, Schema, Tags, losses
from tfdual.features import GRUEncoder, TransformerEncoder
from tfdual.models import SequenceModel
from tfdual.negatives import ColumnNegatives, InBatch, StreamingFrequency, Uniform

ITEMS, DIM, LENGTH, TEMPERATURE = 12, 4, 4, 0.5
SCHEMA = Schema(
    [
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", ITEMS)),
        ColumnSchema("history", [Tags.USER, Tags.SEQUENCE], domain("item_id", ITEMS), is_list=True),
    ]
)
LISTS = [[3, 7, 1], [], [5, 7, 5, 2], [9], [4, 3, 8, 1, 6, 10, 11]]
Pair = tuple[np.ndarray, int, set[int], int]


def model(**options) -> SequenceModel:
    keras.utils.set_random_seed(5)
    options = {"dim": DIM, "max_length": LENGTH, "temperature": TEMPERATURE, "sampling_correction": False} | options
    made = SequenceModel(SCHEMA, **options)
    made.build()
    rng = np.random.default_rng(1)
    for weight in made.trainable_weights:
        weight.assign(rng.normal(size=weight.shape) * 0.7)
    return made


def ragged(lists: list[list[int]]) -> dict[str, tf.RaggedTensor]:
    ids = tf.constant([one for ids in lists for one in ids], tf.int64)
    return {"history": tf.RaggedTensor.from_row_lengths(ids, [len(ids) for ids in lists])}


def loss_of(made: SequenceModel, inputs: dict, weight: np.ndarray | None = None, training: bool = True) -> float:
    outputs = made(inputs, training=training)
    return float(made.compute_loss(x=inputs, y_pred=outputs, sample_weight=weight, training=training))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def table_of(made: SequenceModel) -> np.ndarray:
    return made.item_table.embeddings.numpy().astype("float64")


def states(made: SequenceModel, ids: list[int]) -> np.ndarray:
    """What each position of a list asks for, by loops over heads and rows."""
    weights = {weight.path.split("encoder/", 1)[1]: weight.numpy() for weight in made.encoder.weights}
    rows = table_of(made)[ids] + weights["positions"][: len(ids)]
    return unit(transformed(weights, rows, made.encoder.num_layers, causal=True))


def pairs(made: SequenceModel, lists: list[list[int]]) -> list[Pair]:
    """Query, item, all items of the list, and number of the list."""
    found = []
    for number, ids in enumerate(lists):
        last = ids[-LENGTH - 1 :]
        if len(last) > 1:
            queries = states(made, last[:-1])
            found += [(query, item, set(ids), number) for query, item in zip(queries, last[1:], strict=True)]
    return found


def loop(
    made: SequenceModel,
    lists: list[list[int]],
    weight: np.ndarray | None = None,
    more: tuple = (),
    refused: list[list[int]] | None = None,
) -> float:
    """The softmax of each pair among the items of all pairs, further ones, and those that its list alone refused."""
    items, every = unit(table_of(made)), pairs(made, lists)
    candidates = [item for _, item, _, _ in every] + list(more)
    found = []
    for query, item, own, number in every:
        others = candidates + ([] if refused is None else refused[number])
        scores = [query @ items[j] / TEMPERATURE for j in [item, *(j for j in others if j not in own)]]
        found.append(np.logaddexp.reduce(scores) - scores[0])
    weights = None if weight is None else [weight[number] for *_, number in every]
    return float(np.average(found, weights=weights))


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_loss_takes_every_position_and_no_item_of_its_own_list(weighted: bool, training: bool) -> None:
    made, weight = model(), np.array([1.0, 5.0, 0.5, 7.0, 2.0], "float32") if weighted else None
    assert len(pairs(made, LISTS)) == 2 + 0 + 3 + 0 + 4
    assert loss_of(made, ragged(LISTS), weight, training) == pytest.approx(loop(made, LISTS, weight), rel=1e-5)


def test_training_reports_that_loss() -> None:
    made = model()
    wanted = loop(made, LISTS)
    made.compile(keras.optimizers.SGD(0.0))
    found = made.fit(tf.data.Dataset.from_tensors(ragged(LISTS)), verbose=0).history["loss"]
    assert found[0] == pytest.approx(wanted, rel=1e-5)


def test_items_of_other_sources_are_negatives_too() -> None:
    made = model(negatives=InBatch() + ColumnNegatives("shown"))
    inputs = ragged(LISTS) | {"shown": tf.constant([[2, 0], [9, 1], [0, 0], [0, 0], [6, 0]], tf.int64)}
    assert loss_of(made, inputs) == pytest.approx(loop(made, LISTS, more=(2, 9, 1, 6)), rel=1e-5)


@pytest.mark.parametrize("loss", [None, losses.sampled_softmax])
def test_what_a_list_refused_is_a_negative_at_each_of_its_positions_alone(loss: object) -> None:
    refused = [[2, 9], [6], [], [1, 1], [11, 5, 2]]  # 11 is an item of the last list itself
    made = model(negatives=InBatch() + ColumnNegatives("refused", shared=False), loss=loss, temperature=TEMPERATURE)
    inputs = ragged(LISTS) | {"refused": tf.ragged.constant(refused, dtype=tf.int64)}
    assert loss_of(made, inputs) == pytest.approx(loop(made, LISTS, refused=refused), rel=1e-5)


def test_negatives_are_drawn_from_the_catalogue() -> None:
    items = tf.data.Dataset.from_tensors({"item_id": np.arange(1, ITEMS)})
    uniform = Uniform(3, seed=1).adapt(items)
    made, drawn, draw = model(negatives=InBatch() + uniform), [], uniform.draw
    uniform.draw = lambda batch: drawn.append(draw(batch)) or drawn[-1]
    found = loss_of(made, ragged(LISTS))
    assert found == pytest.approx(loop(made, LISTS, more=tuple(drawn[0].ids.numpy())), rel=1e-5)


def test_another_loss_and_both_directions_leave_out_the_list_as_well() -> None:
    made = model(loss=losses.sampled_softmax, symmetric=True)
    items, every = unit(table_of(made)), pairs(made, LISTS)
    scores = np.array([[query @ items[item] for _, item, _, _ in every] for query, *_ in every])
    kept = np.array([[item not in own for _, item, _, _ in every] for _, _, own, _ in every])

    def one_way(scores: np.ndarray, kept: np.ndarray) -> float:
        rows = zip(scores, kept, scores.diagonal(), strict=True)
        return np.mean([np.logaddexp.reduce([own, *row[keep]]) - own for row, keep, own in rows])

    wanted = (one_way(scores, kept) + one_way(scores.T, kept.T)) / 2
    made.objective.temperature = 1.0
    assert loss_of(made, ragged(LISTS)) == pytest.approx(wanted, rel=1e-5)


def test_frequencies_are_counted_over_the_pairs_and_correct_what_comes_after() -> None:
    made, inputs = model(sampling_correction=True), ragged(LISTS)
    assert isinstance(made.objective.sampling_correction, StreamingFrequency)
    assert isinstance(model(sampling_correction=None).objective.sampling_correction, StreamingFrequency)
    first, second = loss_of(made, inputs), loss_of(made, inputs)
    assert first == pytest.approx(loop(made, LISTS), rel=1e-5), "nothing was counted yet: all items are alike"
    items, every = unit(table_of(made)), pairs(made, LISTS)
    ids = [item for _, item, _, _ in every]
    share = {item: ids.count(item) / len(ids) for item in ids}
    found = []
    for query, item, own, _ in every:
        listed = [item, *(j for j in ids if j not in own)]
        scores = [query @ items[j] / TEMPERATURE - np.log(share[j]) for j in listed]
        found.append(np.logaddexp.reduce(scores) - scores[0])
    assert second == pytest.approx(np.mean(found), rel=1e-5)
    assert loss_of(made, inputs, training=False) == pytest.approx(loop(made, LISTS), rel=1e-5)


def test_no_position_sees_a_later_item() -> None:
    made = model()
    before, after = (made(ragged([ids]))["query"].numpy() for ids in ([3, 7, 1, 6, 2], [3, 7, 9, 4, 2]))
    np.testing.assert_allclose(after[:, :2], before[:, :2], rtol=1e-5, atol=1e-6)
    assert (np.abs(after[:, 2:] - before[:, 2:]).max(axis=2) > 1e-2).all()


def test_lists_of_no_or_one_item_give_no_pair() -> None:
    made = model()
    kept = [ids for ids in LISTS if len(ids) > 1]
    assert loss_of(made, ragged(LISTS)) == pytest.approx(loss_of(made, ragged(kept)), rel=1e-5)


@pytest.mark.parametrize("lists", [[[], [4]], [[], []], []], ids=["one item", "none", "no rows"])
@pytest.mark.parametrize("options", [{"sampling_correction": True}, {"loss": losses.bpr}, {"negatives": InBatch(2)}])
def test_batch_without_a_pair_has_nothing_to_learn(lists: list, options: dict) -> None:
    made = model(**options)
    made.compile(keras.optimizers.SGD(1.0))
    before = [weight.numpy() for weight in made.trainable_weights]
    assert made.train_on_batch(ragged(lists)) == 0
    for weight, wanted in zip(made.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, wanted)


@pytest.mark.parametrize("length", [1, LENGTH])
def test_of_a_longer_list_the_last_items_count(length: int) -> None:
    made = model(max_length=length)
    whole, rest = ragged([[9, 2, *LISTS[4]], [7, 5]]), ragged([LISTS[4][-length - 1 :], [7, 5]])
    assert loss_of(made, whole) == pytest.approx(loss_of(made, rest), rel=1e-5)
    np.testing.assert_allclose(made.encode_query(whole)[0], states(made, LISTS[4][-length:])[-1], atol=1e-5)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("options", [{}, {"loss": losses.sampled_softmax, "temperature": TEMPERATURE}])
def test_items_before_the_last_ones_of_a_list_are_no_negatives_either(padded: bool, options: dict) -> None:
    made = model(negatives=InBatch() + ColumnNegatives("shown"), **options)
    lists = [LISTS[4], [5, 4, 3]]  # the first list begins with 4 and 3
    inputs = ragged(lists)
    inputs = {"history": inputs["history"].to_tensor()} if padded else inputs
    inputs |= {"shown": tf.constant([[4, 2], [3, 8]], tf.int64)}
    assert loss_of(made, inputs) == pytest.approx(loop(made, lists, more=(4, 2, 3, 8)), rel=1e-5)


def test_ragged_and_padded_lists_are_the_same_wherever_the_padding_stands() -> None:
    made, wanted = model(), ragged(LISTS)
    behind = wanted["history"].to_tensor()
    before = tf.reverse(tf.reverse(wanted["history"], [1]).to_tensor(), [1])
    for padded in ({"history": behind}, {"history": before}, {"history": tf.cast(behind, tf.int32)}):
        assert loss_of(made, padded) == pytest.approx(loss_of(made, wanted), rel=1e-5)
        np.testing.assert_allclose(made.encode_query(padded), made.encode_query(wanted), rtol=1e-5, atol=1e-6)


def test_unknown_items_are_left_out_of_a_list() -> None:
    made, known, unknown = model(), ragged(LISTS), ragged([[3, 0, 7, 1], [0], [5, 7, 5, 2, 0], [0, 9, 0, 0], LISTS[4]])
    assert loss_of(made, unknown) == pytest.approx(loss_of(made, known), rel=1e-5)
    np.testing.assert_allclose(made.encode_query(unknown), made.encode_query(known), rtol=1e-5, atol=1e-6)


def test_query_is_the_state_of_the_last_item() -> None:
    made = model()
    found = made.encode_query(ragged(LISTS)).numpy()
    for row, ids in enumerate(LISTS):
        np.testing.assert_allclose(found[row], states(made, ids[-LENGTH:])[-1] if ids else np.zeros(DIM), atol=1e-5)
    np.testing.assert_allclose(
        made.encode_item({"item_id": tf.constant([3, 1])}), unit(table_of(made))[[3, 1]], rtol=1e-5
    )


@pytest.mark.parametrize("padded", [True, False])
def test_queries_without_a_history_get_zeros(padded: bool) -> None:
    made, inputs = model(), ragged([[], []])
    inputs = {"history": tf.zeros((2, 3), tf.int64)} if padded else inputs
    np.testing.assert_array_equal(made.encode_query(inputs), np.zeros((2, DIM)))
    assert made.encode_query({"history": inputs["history"][:0]}).shape == (0, DIM)


def test_graph_of_any_batch_size_and_length_gives_equal_answers() -> None:
    made = model()
    specs = [{"history": tf.RaggedTensorSpec([None, None], tf.int64)}, {"history": tf.TensorSpec([None, None])}]
    dense = {"history": tf.cast(ragged(LISTS)["history"].to_tensor(), tf.float32)}
    graphs = [
        tf.function(made.encode_query, input_signature=specs[:1]),
        tf.function(
            lambda x: made.encode_query({"history": tf.cast(x["history"], tf.int64)}), input_signature=specs[1:]
        ),
    ]
    wanted = made.encode_query(ragged(LISTS)).numpy()
    for graph, inputs in zip(graphs, (ragged(LISTS), dense), strict=True):
        np.testing.assert_allclose(graph(inputs), wanted, rtol=1e-5, atol=1e-6)
        one = graph({"history": inputs["history"][2:3]})
        np.testing.assert_allclose(one, wanted[2:3], rtol=1e-5, atol=1e-6)


def cycle(rows: int, seed: int) -> tuple[dict[str, tf.RaggedTensor], np.ndarray]:
    """Lists that walk round 1, 2, ..., 11, 1, ..., and what comes next."""
    rng = np.random.default_rng(seed)
    starts, lengths = rng.integers(0, ITEMS - 1, rows), rng.integers(1, 5, rows)
    lists = [(start + np.arange(length)) % (ITEMS - 1) + 1 for start, length in zip(starts, lengths, strict=True)]
    return ragged([ids.tolist() for ids in lists]), (starts + lengths) % (ITEMS - 1) + 1


def trained(steps: int, **options) -> SequenceModel:
    keras.utils.set_random_seed(5)
    encoder = TransformerEncoder(1, max_length=LENGTH, pooling=None)
    made = SequenceModel(SCHEMA, dim=16, max_length=LENGTH, temperature=0.1, encoder=encoder, **options)
    made.build()
    made.compile(LazyAdam(0.02))
    made.fit(tf.data.Dataset.from_tensors(cycle(64, 0)[0]).repeat(steps), verbose=0)
    return made


@pytest.mark.parametrize("correction", [True, False])
def test_fixed_order_of_items_is_learned(correction: bool) -> None:
    asked, following = cycle(40, 1)
    queries = tf.data.Dataset.from_tensor_slices(asked | {"item_id": following}).batch(16)
    items = tf.data.Dataset.from_tensors({"item_id": np.arange(1, ITEMS)})
    first, last = (
        tfdual.evaluate(trained(steps, sampling_correction=correction), queries, items, ks=(1,), seen="history")
        for steps in (1, 100)
    )
    assert first["hit_rate@1"] < 0.5
    assert last["hit_rate@1"] == 1


def test_loaded_model_gives_the_same_and_trains_on_as_this_one(tmp_path: Path) -> None:
    made = trained(3, sampling_correction=True, post=keras.layers.Dense(16), symmetric=True)
    loaded = saved_and_loaded(made, tmp_path)
    inputs = cycle(20, 2)[0]
    np.testing.assert_allclose(loaded.encode_query(inputs), made.encode_query(inputs), rtol=1e-6)
    require_equal_training(loaded, made, tf.data.Dataset.from_tensors(inputs).repeat(2))


@pytest.mark.slow
def test_retriever_answers_raw_histories_in_a_fresh_process(tmp_path: Path) -> None:
    schema = Schema(
        [
            ColumnSchema("item", [Tags.ITEM_ID], {"domain": {"name": "item"}}, dtype="string"),
            ColumnSchema("history", [Tags.USER, Tags.SEQUENCE], {"domain": {"name": "item"}}, "string", is_list=True),
        ]
    )
    names = [f"item {i}" for i in range(ITEMS)]
    histories = [[names[(i + j) % ITEMS] for j in range(i % 5)] for i in range(ITEMS)]
    rows = tfdual.read(pa.table({"item": names, "history": histories}), schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    made = SequenceModel(prep.schema, dim=DIM, max_length=LENGTH, post=keras.layers.Dense(DIM))
    made.build()
    made.compile(LazyAdam(0.1))
    made.fit(rows.select(schema.select_by_name("history")).batch(4).map(prep), verbose=0)
    retriever = made.to_retriever(rows.select(schema.select_by_name("item")), tfdual.BruteForce(), prep)
    queries = {"history": [names[2:5], [], ["never seen", names[7]], names]}
    wanted = retriever.search(queries, k=ITEMS)
    for row, history in enumerate(queries["history"]):
        ids = prep({"history": tf.ragged.constant([history], dtype=tf.string)})
        scores = made.encode_query(ids).numpy() @ made.encode_item(prep({"item": tf.constant(names)})).numpy().T
        np.testing.assert_allclose(wanted["score"][row], np.sort(scores[0])[::-1], atol=1e-5)
    require_equal_answers(retriever, tmp_path, queries, ITEMS)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_kept_where_the_model_is_loaded_elsewhere(policy: str) -> None:
    with dtype_policy(policy):
        mixed = model()
    exact, inputs = model(), ragged(LISTS)
    found = mixed.encode_query(inputs)
    assert found.dtype == mixed.encode_item({"item_id": tf.constant([1])}).dtype == policy.removeprefix("mixed_")
    assert {str(weight.dtype) for weight in mixed.trainable_weights} == {"float32"}
    np.testing.assert_allclose(tf.cast(found, tf.float32), exact.encode_query(inputs), atol=0.05)
    assert loss_of(mixed, inputs) == pytest.approx(loss_of(exact, inputs), rel=0.05)
    again = SequenceModel.from_config(mixed.get_config())
    assert again.item_table.dtype_policy.name == again.encoder.dtype_policy.name == policy


@keras.saving.register_keras_serializable("tfdual_tests")
class MeanSoFar(keras.layers.Layer):
    """The mean of the rows up to each position."""

    def call(self, rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return tf.cumsum(rows, axis=1) / tf.range(1, tf.shape(rows)[1] + 1, dtype=tf.float32)[:, None]


def test_encoder_can_be_any_layer_that_gives_a_state_for_each_position(tmp_path: Path) -> None:
    made = model(encoder=MeanSoFar(), post=None)
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    wanted = table_of(made)[[5, 7, 5, 2]].mean(axis=0)
    for each in (made, loaded):
        np.testing.assert_allclose(each.encode_query(ragged(LISTS))[2], wanted, rtol=1e-5, atol=1e-6)


def test_dropout_of_the_encoder_is_on_in_training_alone() -> None:
    encoder = TransformerEncoder(1, max_length=LENGTH, pooling=None, dropout=0.5, seed=1)
    made, inputs = model(encoder=encoder), ragged(LISTS)
    plain = made.encode_query(inputs).numpy()
    np.testing.assert_array_equal(made.encode_query(inputs, training=False), plain)
    assert not np.allclose(made.encode_query(inputs, training=True), plain)
    dropped, kept = (made(inputs, training=training)["query"].numpy() for training in (True, False))
    assert not np.allclose(dropped, kept)


def test_variables_of_the_query_are_all_that_it_reads() -> None:
    made = model(post=keras.layers.Dense(DIM))
    with tf.GradientTape() as tape:
        made.encode_query(ragged(LISTS))
    read = {variable.ref() for variable in tape.watched_variables()}
    assert read <= {variable.ref() for variable in made.query_side.variables}
    assert len(read) == len(made.query_side.variables)
    assert list(made.query_side.columns) == ["history"]


def test_columns_are_those_that_are_named() -> None:
    other = Schema(
        [
            *SCHEMA,
            ColumnSchema("sku", properties=domain("sku", 9)),
            ColumnSchema("bought", [Tags.SEQUENCE], domain("sku", 9), is_list=True),
        ]
    )
    made = SequenceModel(other, "bought", dim=DIM, item_id="sku")
    assert (made.sequence, made.item_id, made.item_table.cardinality) == ("bought", "sku", 9)
    assert SequenceModel.from_config(made.get_config()).get_config() == made.get_config()
    with pytest.raises(ValueError, match=r"There is \['history', 'bought'\]: pass sequence="):
        SequenceModel(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parts": 2}, "can't be trained in parts"),
        ({"max_length": 0}, "max_length is 1 or more. Received 0"),
        ({"known_positives": "history"}, "Leave known_positives out"),
        ({"sequence": "clicks"}, r"no column 'clicks'. It has \['item_id', 'history'\]"),
        ({"sequence": "item_id"}, "list of ids of the domain 'item_id'. 'item_id' is categorical"),
        ({"item_id": "sku"}, r"no column 'sku'. It has \['item_id', 'history'\]"),
        ({"encoder": TransformerEncoder(causal=False, pooling=None)}, "Give causal=True"),
        ({"encoder": TransformerEncoder()}, "Received pooling='last', max_length=50. Give pooling=None, max_length=4"),
        ({"encoder": TransformerEncoder(max_length=3, pooling=None)}, "Received pooling=None, max_length=3"),
        ({"dim": 0}, "dim >= 1"),
        ({"temperature": -1.0}, "temperature must be above 0"),
    ],
)
def test_bad_arguments_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(**options)


def test_encoder_that_pools_is_refused() -> None:
    made = model(encoder=GRUEncoder(DIM))
    with pytest.raises(ValueError, match=r"a state of width 4 for each position, .* Received \(5, 4\) of 'gru_encoder"):
        made.encode_query(ragged(LISTS))


def test_schema_without_the_ids_is_refused() -> None:
    lists = ColumnSchema("history", [Tags.USER, Tags.SEQUENCE], domain("track", ITEMS), is_list=True)
    with pytest.raises(ValueError, match="domain 'item_id'. 'history' is id_list of the domain 'track'"):
        SequenceModel(Schema([SCHEMA["item_id"], lists]))
    with pytest.raises(ValueError, match="one column tagged 'item_id'"):
        SequenceModel(SCHEMA.select_by_name("history"))
