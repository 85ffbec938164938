"""GraphModel: what it learns and from what; one propagation a step; frozen, evaluated, saved, served; unseen nodes."""

import functools
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tests.models.fresh_process import require_equal_answers
from tests.models.trained_alike import require_equal_training, saved_and_loaded
from tests.sample_columns import domain
from tfdual import ColumnSchema, EmbeddingOptions, InputBlock, LazyAdam, MLPBlock, Schema, Tags, losses
from tfdual.graph import GCN, Graph, GraphEncoder, GraphSAGE, LightGCN, NeighbourSampler, Relation
from tfdual.models import GraphModel, LightGCNModel
from tfdual.negatives import InBatch, Uniform
from tfdual.serving import embed_items

USERS, ITEMS, DIM = 9, 12, 4
SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", USERS)),
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", ITEMS)),
        ColumnSchema("history", [Tags.USER], domain("item_id", ITEMS), is_list=True),
        ColumnSchema("buyers", [Tags.ITEM], domain("user_id", USERS), is_list=True),
        ColumnSchema("age", [Tags.USER], dtype="float32"),
        ColumnSchema("colour", [Tags.ITEM], dtype="float32", dims=(None, 3)),
    ]
)
CATALOGUE = tf.data.Dataset.from_tensors({"item_id": np.arange(1, ITEMS)})
BPR = functools.partial(losses.bpr, max_positives=1)
RNG = np.random.default_rng(0)
AGES, COLOURS = RNG.normal(size=USERS).astype("f4"), RNG.normal(size=(ITEMS, 3)).astype("f4")


def liked() -> dict[str, np.ndarray]:
    """User `u` likes the items `u` and `u + 1`; item 11 is isolated."""
    users = np.repeat(np.arange(1, USERS), 2)
    return {"user_id": users, "item_id": users + np.tile([0, 1], USERS - 1)}


def batch() -> dict[str, tf.Tensor]:
    return {"user_id": tf.constant([1, 2, 3, 2, 6], tf.int64), "item_id": tf.constant([7, 3, 5, 7, 9], tf.int64)}


def graph(columns: bool = False) -> Graph:
    found = Graph.from_rows(liked(), SCHEMA)
    if columns:
        found = found.with_columns("user_id", [{"user_id": np.arange(1, USERS), "age": AGES[1:]}])
        found = found.with_columns("item_id", [{"item_id": np.arange(1, ITEMS), "colour": COLOURS[1:]}])
    return found


def table_model(layers: int = 2, **options) -> GraphModel:
    keras.utils.set_random_seed(5)
    made = LightGCNModel(graph(), SCHEMA, DIM, layers, **{"sampling_correction": False} | options)
    made.build()
    return made


def column_model(encoder: object = None, **options) -> GraphModel:
    keras.utils.set_random_seed(5)
    nodes = {
        "user_id": InputBlock(SCHEMA.select_by_name("age"), aggregation="concat") >> MLPBlock([DIM], activation="tanh"),
        "item_id": InputBlock(SCHEMA.select_by_name("colour"), aggregation="concat") >> MLPBlock([DIM]),
    }
    encoder = GraphSAGE([5, 3], activation="tanh") if encoder is None else encoder
    made = GraphModel(graph(True), SCHEMA, encoder, nodes, **{"sampling_correction": False} | options)
    made.build()
    return made


def normalised() -> np.ndarray:
    """`matrix[user, item]`, 1 / sqrt(degree of the user x degree of the item)."""
    rows, found = liked(), np.zeros((USERS, ITEMS))
    found[rows["user_id"], rows["item_id"]] = 1
    users, items = found.sum(axis=1), found.sum(axis=0)
    return found / np.sqrt(np.maximum(users, 1)[:, None] * np.maximum(items, 1))


def light_gcn_by_hand(made: GraphModel, layers: int) -> tuple[np.ndarray, np.ndarray]:
    user, item = (made.nodes.tables[name].embeddings.numpy().astype("f8") for name in ("user_id", "item_id"))
    product, users, items = normalised(), [user], [item]
    for _ in range(layers):
        user, item = product @ item, product.T @ user
        users.append(user)
        items.append(item)
    return np.mean(users, axis=0), np.mean(items, axis=0)


def gradients(made: GraphModel, inputs: dict) -> list[np.ndarray]:
    with tf.GradientTape() as tape, made._once.step():
        loss = made.compute_loss(x=inputs, y_pred=made(inputs, training=True))
    found = tape.gradient(loss, [weight.value for weight in made.trainable_weights])
    return [tf.convert_to_tensor(gradient).numpy() for gradient in found]


@pytest.mark.parametrize("layers", [1, 3])
def test_light_gcn_gives_the_mean_of_all_layers(layers: int) -> None:
    made, inputs = table_model(layers), batch()
    users, items = light_gcn_by_hand(made, layers)
    found = made(inputs)
    np.testing.assert_allclose(found["query"], users[inputs["user_id"]], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["item"], items[inputs["item_id"]], rtol=1e-4, atol=1e-6)


def test_loss_is_the_softmax_of_the_propagated_scores() -> None:
    made, inputs = table_model(), batch()
    users, items = light_gcn_by_hand(made, 2)
    ids = inputs["item_id"].numpy()
    scores = users[inputs["user_id"]] @ items[ids].T
    rows = [[scores[b, b], *scores[b, ids != ids[b]]] for b in range(5)]
    wanted = np.mean([np.logaddexp.reduce(row) - row[0] for row in rows])
    found = made.compute_loss(x=inputs, y_pred=made(inputs, training=True))
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_l2_is_the_mean_of_the_squares_of_the_initial_rows_of_a_batch() -> None:
    plain, made, inputs = table_model(), table_model(l2=0.3), batch()
    losses_of = [float(each.compute_loss(x=inputs, y_pred=each(inputs, training=True))) for each in (plain, made)]
    user, item = (made.nodes.tables[name].embeddings.numpy() for name in ("user_id", "item_id"))
    squares = np.square(user[inputs["user_id"]]).sum(axis=1) + np.square(item[inputs["item_id"]]).sum(axis=1)
    assert losses_of[1] - losses_of[0] == pytest.approx(0.3 * squares.mean(), rel=1e-4)


@pytest.mark.parametrize("make", [table_model, column_model])
def test_gradient_is_that_of_small_differences(make: object) -> None:
    uniform = {"negatives": InBatch() + Uniform(6, seed=1).adapt(CATALOGUE)}
    made, inputs = make(**uniform), batch()
    rng = np.random.default_rng(2)
    for weight in made.trainable_weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    (seed,) = [layer.seed_generator.state for layer in made.objective.negatives.sources() if hasattr(layer, "seed")]
    drawn = seed.numpy()
    direction = [rng.normal(size=weight.shape).astype("f4") for weight in made.trainable_weights]
    found = sum((gradient * move).sum() for gradient, move in zip(gradients(made, inputs), direction, strict=True))

    def loss_at(step: float) -> float:
        seed.assign(drawn)
        for weight, move in zip(made.trainable_weights, direction, strict=True):
            weight.assign_add(step * move)
        loss = float(made.compute_loss(x=inputs, y_pred=made(inputs, training=True)))
        for weight, move in zip(made.trainable_weights, direction, strict=True):
            weight.assign_add(-step * move)
        return loss

    assert found == pytest.approx((loss_at(1e-3) - loss_at(-1e-3)) / 2e-3, rel=0.02)


def test_a_step_propagates_once_for_queries_items_and_negatives() -> None:
    made = table_model(negatives=InBatch() + Uniform(6, seed=1).adapt(CATALOGUE))
    made.compile(keras.optimizers.SGD(0.1))
    with mock.patch.object(made.nodes, "over_all", wraps=made.nodes.over_all) as over_all:
        made.fit(tf.data.Dataset.from_tensors(batch()).repeat(3), verbose=0)
        assert over_all.call_count == 1  # traced once, and run in each step
    apart = table_model(negatives=InBatch() + Uniform(6, seed=1).adapt(CATALOGUE), parts=2)
    apart.compile(keras.optimizers.SGD(0.1))
    apart.fit(tf.data.Dataset.from_tensors(batch()).repeat(3), verbose=0)
    for found, wanted in zip(made.get_weights(), apart.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_an_evaluation_propagates_once_and_anew_when_weights_changed() -> None:
    made, queries = table_model(), tf.data.Dataset.from_tensor_slices(liked()).batch(4)
    made.compile(LazyAdam(0.05))
    with mock.patch.object(made.nodes, "over_all", wraps=made.nodes.over_all) as over_all:
        first = tfdual.evaluate(made, queries, CATALOGUE, ks=(2,))
        assert over_all.call_count == 1
        assert tfdual.evaluate(made, queries, CATALOGUE, ks=(2,)) == first
        assert over_all.call_count == 1
        table = made.nodes.tables["item_id"].embeddings
        table.assign(-table)
        tfdual.evaluate(made, queries, CATALOGUE, ks=(2,))
        assert over_all.call_count == 2
    np.testing.assert_allclose(made.compiled_encode_item(batch()), made.encode_item(batch()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": BPR, "negatives": Uniform(8, seed=1).adapt(CATALOGUE), "l2": 1e-4},
        {"post": "l2-norm", "temperature": 0.1, "item_bias": True, "negatives": InBatch()},
    ],
    ids=["bpr", "softmax"],
)
def test_light_gcn_learns_what_each_user_likes(options: dict) -> None:
    made, queries = table_model(**options), tf.data.Dataset.from_tensor_slices(liked()).batch(16)
    made.compile(LazyAdam(0.05))
    validated = made.fit(queries.repeat(60), validation_data=queries, verbose=0).history
    assert np.isfinite(validated["val_loss"][0])
    assert tfdual.evaluate(made, queries, CATALOGUE, ks=(2,))["recall@2"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("encoder", [GCN([6, 6], activation="tanh"), GraphSAGE([6, 6]), GraphSAGE([6, 6], "max")])
def test_encoders_of_columns_learn(encoder: object) -> None:
    made, queries = column_model(encoder), tf.data.Dataset.from_tensor_slices(liked()).batch(16)
    made.compile(LazyAdam(0.02))
    before = tfdual.evaluate(made, queries, CATALOGUE, ks=(3,))["recall@3"]
    made.fit(queries.repeat(80), verbose=0)
    assert tfdual.evaluate(made, queries, CATALOGUE, ks=(3,))["recall@3"] > max(before, 0.6)


def test_all_neighbours_sampled_give_what_the_whole_graph_gives() -> None:
    for encoder in (GraphSAGE([5, 3], activation="tanh"), GraphSAGE([5, 3], "max", "mean", normalize=False)):
        made = column_model(encoder)
        sampler = NeighbourSampler(graph(), [2, 2], ["user_id", "item_id"], seed=0)
        found, wanted = made(sampler(batch())), made(batch())
        for side in ("query", "item"):
            np.testing.assert_allclose(found[side], wanted[side], rtol=1e-4, atol=1e-6)


def test_sampled_batches_train_without_a_propagation_of_all_nodes() -> None:
    made = column_model()
    made.compile(LazyAdam(0.02))
    sampler = NeighbourSampler(graph(), [2, 1], ["user_id", "item_id"], seed=0)
    data = tf.data.Dataset.from_tensor_slices(liked()).batch(16).map(sampler)
    with mock.patch.object(made.nodes, "over_all", wraps=made.nodes.over_all) as over_all:
        losses_of = made.fit(data.repeat(20), epochs=2, verbose=0).history["loss"]
        assert over_all.call_count == 0
    assert losses_of[1] < losses_of[0]
    with pytest.raises(ValueError, match="LightGCN needs the degrees of whole neighbourhoods"):
        table_model()(sampler(batch()))
    with pytest.raises(ValueError, match=r"lacks the sampled neighbours \['user_id/item_id>~interacts/"):
        made(NeighbourSampler(graph(), [2], ["user_id"], seed=0)(batch()))


def test_a_column_with_a_stroke_in_its_name_is_no_neighbour() -> None:
    made, more = table_model(), batch() | {"item_id/price": tf.zeros(5)}
    np.testing.assert_array_equal(made(more)["item"], made(batch())["item"])


def test_a_node_that_the_graph_lacks_is_embedded_by_its_neighbours() -> None:
    made = table_model(neighbours=["history", "buyers"])
    frozen = made.freeze()
    history = tf.ragged.constant([[3, 4], [3, 4], [], [5]], dtype=tf.int64)
    found = frozen.encode_query({"user_id": tf.constant([0, 3, 0, 99], tf.int64), "history": history}).numpy()
    tables = {name: made.nodes.tables[name].embeddings.numpy() for name in ("user_id", "item_id")}
    product, users, items = normalised(), [tables["user_id"]], [tables["item_id"]]
    for _ in range(2):
        users, items = [*users, product @ items[-1]], [*items, product.T @ users[-1]]
    degrees = np.maximum((product > 0).sum(axis=0), 1)
    unseen = sum(layer[[3, 4]].T @ (1 / np.sqrt(2 * degrees[[3, 4]])) for layer in items[:2]) / 3
    np.testing.assert_allclose(found[0], unseen, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1], np.mean(users, axis=0)[3], rtol=1e-4, atol=1e-6)  # it is known
    np.testing.assert_allclose(found[2], np.mean(users, axis=0)[1:].mean(axis=0), rtol=1e-4, atol=1e-6)
    assert np.abs(found[3]).sum() > 0
    padded = np.array([[3, 4, 0], [3, 4, 0], [0, 0, 0], [5, 0, 0]])
    again = frozen.encode_query({"user_id": tf.constant([0, 3, 0, 99], tf.int64), "history": tf.constant(padded)})
    np.testing.assert_allclose(again, found, rtol=1e-5, atol=1e-7)
    outside = tf.ragged.constant([[3, 99, 4, -1], [99]], dtype=tf.int64)  # ids that no node has
    again = frozen.encode_query({"user_id": tf.constant([0, 0], tf.int64), "history": outside})
    np.testing.assert_allclose(again, found[[0, 2]], rtol=1e-5, atol=1e-7)
    new = {"item_id": tf.constant([0, 0], tf.int64), "buyers": tf.ragged.constant([[1, 2], []], dtype=tf.int64)}
    item = frozen.encode_item(new).numpy()
    assert np.abs(item[0]).sum() > 0
    assert not item[1].any()
    with pytest.raises(ValueError, match=r"lacks the columns \['history'\] of 'user_id'"):
        frozen.encode_query(batch())


def test_all_ids_of_unknown_values_are_unknown_nodes() -> None:
    schema = Schema(
        [column.with_properties({"shared_ids": 3}) for column in SCHEMA.select_by_name(["user_id", "item_id"])]
    )
    schema = Schema([*schema, SCHEMA["history"]])
    keras.utils.set_random_seed(5)
    made = LightGCNModel(Graph.from_rows(liked(), schema), schema, DIM, 2, neighbours=["history"])
    frozen = made.freeze()
    history = tf.ragged.constant([[5, 6], [5, 6], [5, 6], [5, 1, 6, 2], [1, 2], []], dtype=tf.int64)
    found = frozen.encode_query({"user_id": tf.constant([0, 1, 2, 1, 1, 2], tf.int64), "history": history}).numpy()
    np.testing.assert_allclose(found[1:4], found[[0, 0, 0]], rtol=1e-5)  # unknown items are no neighbours
    users = made.encode_query({"user_id": tf.range(3, USERS)}).numpy()
    np.testing.assert_allclose(found[4:], [users.mean(axis=0)] * 2, rtol=1e-4, atol=1e-6)
    assert not np.allclose(found[0], found[4], atol=1e-3)
    known = frozen.encode_query({"user_id": tf.constant([3], tf.int64), "history": history[:1]})
    np.testing.assert_allclose(known, users[:1], rtol=1e-4, atol=1e-6)
    assert not frozen.encode_item({"item_id": tf.constant([0, 1, 2])}).numpy().any()


@pytest.mark.parametrize("aggregator", ["mean", "max"])
def test_graph_sage_embeds_an_unseen_node_as_one_of_the_graph_that_is_like_it(aggregator: str) -> None:
    made = column_model(GraphSAGE([5, 3], aggregator, activation="tanh"), neighbours=["history"])
    rows = liked()
    own = [rows["item_id"][rows["user_id"] == user].tolist() for user in (2, 5)]
    queries = {"user_id": tf.constant([2, 0, 0]), "age": tf.constant(AGES[[2, 5, 5]])}
    queries["history"] = tf.ragged.constant([own[0], own[1], []], dtype=tf.int64)
    found, known = made.freeze().encode_query(queries).numpy(), made.encode_query({"user_id": tf.constant([2, 5])})
    np.testing.assert_allclose(found[:2], known, rtol=1e-4, atol=1e-6)
    assert not np.allclose(found[1], found[2])


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("aggregator", ["mean", "max"])
def test_graph_sage_counts_a_neighbour_that_an_unseen_node_repeats_once(aggregator: str, padded: bool) -> None:
    frozen = column_model(GraphSAGE([5, 3], aggregator, activation="tanh"), neighbours=["history"]).freeze()

    def embedded(history: list[list[int]]) -> np.ndarray:
        lists = tf.ragged.constant(history, dtype=tf.int64)
        queries = {"user_id": tf.constant([0, 0, 0]), "age": tf.constant(AGES[[2, 5, 5]])}
        return frozen.encode_query(queries | {"history": lists.to_tensor() if padded else lists}).numpy()

    twice = embedded([[1, 1, 2], [3, 4, 3, 4, 4, 1], [1, 2]])
    np.testing.assert_allclose(twice, embedded([[1, 2], [4, 1, 3], [2, 1]]), rtol=1e-5, atol=1e-6)


def alone_by_hand(made: GraphModel, colour: np.ndarray) -> np.ndarray:
    """The embedding of an item of this colour to which no edge leads."""
    kernel, bias = (weight.numpy().astype("f8") for weight in made.nodes.towers["item_id"].weights)
    vector, encoder = np.maximum(colour @ kernel + bias, 0), made.nodes.encoder
    if isinstance(encoder, LightGCN):
        return vector / (encoder.num_layers + 1)
    for layer in range(2):
        dense = encoder.own[f"{layer} item_id"] if isinstance(encoder, GraphSAGE) else encoder.kernels[layer]
        kernel, bias = (weight.numpy() for weight in dense.weights)
        vector = vector @ kernel + bias
        vector = np.tanh(vector) if layer == 0 else vector
        vector = vector / np.linalg.norm(vector) if isinstance(encoder, GraphSAGE) else vector
    return vector


@pytest.mark.parametrize("neighbours", [[], ["buyers"]], ids=["no list", "an empty list"])
@pytest.mark.parametrize(
    "encoder", [GraphSAGE([5, 3], "max", activation="tanh"), GCN([5, 3], activation="tanh"), LightGCN(2)]
)
def test_a_node_without_neighbours_is_embedded_by_its_columns_alone(encoder: GraphEncoder, neighbours: list) -> None:
    made = column_model(type(encoder).from_config(encoder.get_config()), neighbours=neighbours)
    colours = np.stack([COLOURS[11], COLOURS[4], np.ones(3, "f4")])
    asked = {"item_id": tf.constant([11, 0, 99]), "colour": tf.constant(colours)}  # 11 is isolated, the others unknown
    lists = {"buyers": tf.ragged.constant([[], [], []], dtype=tf.int64)}
    found = made.freeze().encode_item(asked | (lists if neighbours else {})).numpy()
    wanted = [alone_by_hand(made, colour) for colour in colours]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert len(np.unique(found.round(5), axis=0)) == 3
    assert GraphModel.from_config(made.get_config()).neighbours == neighbours


def test_a_model_of_a_config_has_edges_when_weights_are_loaded_and_says_so_before(tmp_path: Path) -> None:
    made = column_model()
    made.save_weights(tmp_path / "own.weights.h5")
    again = GraphModel.from_config(made.get_config())
    again.build()
    again.set_weights(made.get_weights())
    for use in (lambda: again(batch()), again.freeze, again.to_graph):
        with pytest.raises(ValueError, match="edges of this graph have not been read.*load_weights"):
            use()
    again.load_weights(tmp_path / "own.weights.h5")
    for side, vectors in made(batch()).items():
        np.testing.assert_allclose(again(batch())[side], vectors, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"neighbours": []}])
def test_an_unknown_node_of_which_nothing_is_told_is_a_mean_user_or_an_item_of_zeros(options: dict) -> None:
    made, unknown = table_model(**options), tf.constant([0, 99, -1])
    frozen = made.freeze()
    users = light_gcn_by_hand(made, 2)[0][1:].mean(axis=0)
    np.testing.assert_allclose(frozen.encode_query({"user_id": unknown}), [users] * 3, rtol=1e-4, atol=1e-6)
    assert not frozen.encode_item({"item_id": unknown}).numpy().any()


def test_an_unknown_item_has_no_bias() -> None:
    made = table_model(neighbours=["buyers"], item_bias=True)
    made.biases.embeddings.assign(np.arange(1.0, ITEMS + 1)[:, None])
    lists = tf.ragged.constant([[], [1, 2], []], dtype=tf.int64)
    found = made.freeze().encode_item({"item_id": tf.constant([0, 99, 3]), "buyers": lists}).numpy()
    assert not found[0].any()
    assert np.abs(found[1, :-1]).sum() > 0
    np.testing.assert_array_equal(found[1:, -1], [0, 4])
    query = made.freeze().encode_query({"user_id": tf.constant([0, 3])}).numpy()
    np.testing.assert_array_equal(query[:, -1], [1, 1])


def test_a_frozen_model_stays_as_it_is() -> None:
    made = column_model(neighbours=["history"])
    frozen, history = made.freeze(), tf.ragged.constant([[1], [2], [3], [4], []], dtype=tf.int64)
    inputs = batch() | {"age": tf.constant(AGES[:5]), "history": history, "user_id": tf.constant([0, 1, 2, 0, 0])}
    before = frozen.encode_query(inputs).numpy()
    for weight in made.trainable_weights:
        weight.assign(weight + 0.5)
    np.testing.assert_array_equal(frozen.encode_query(inputs), before)
    assert not np.allclose(made.compiled_encode_query(inputs), before)


@pytest.mark.parametrize("sampled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_loaded_model_gives_the_same_and_trains_on_as_this_one(sampled: bool, tmp_path: Path) -> None:
    made = column_model(item_bias=True, l2=0.1) if sampled else table_model(negatives=Uniform(8, 1).adapt(CATALOGUE))
    made.compile(LazyAdam(0.05))
    data = tf.data.Dataset.from_tensor_slices(liked()).batch(8)
    if sampled:
        data = data.map(NeighbourSampler(graph(), [2, 2], ["user_id", "item_id"], seed=0))
    made.fit(data, verbose=0)
    loaded = saved_and_loaded(made, tmp_path)
    assert repr(loaded.to_graph()) == repr(made.to_graph()) == repr(graph())
    for side, vectors in made(batch()).items():
        np.testing.assert_allclose(loaded(batch())[side], vectors, rtol=1e-6)
    require_equal_training(loaded, made, data)


@pytest.mark.parametrize("make", [lambda: GCN([5, DIM]), lambda: GraphSAGE([5, 3])])
def test_an_encoder_that_is_frozen_before_it_has_weights_stays_frozen(make: object, tmp_path: Path) -> None:
    encoder = make()
    encoder.trainable = False
    made = column_model(encoder)
    made.compile(LazyAdam(0.05))
    before = [weight.numpy() for weight in encoder.weights]
    made.fit(tf.data.Dataset.from_tensor_slices(liked()).batch(8), verbose=0)
    made.save_weights(tmp_path / "own.weights.h5")
    again = GraphModel.from_config(made.get_config())
    again.build()
    again.load_weights(tmp_path / "own.weights.h5")
    for each in (made, again):
        frozen = {id(weight) for weight in each.nodes.encoder.weights}
        assert frozen
        assert each.trainable_weights
        assert not frozen & {id(weight) for weight in each.trainable_weights}
        for found, wanted in zip(each.nodes.encoder.weights, before, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_a_graph_of_items_and_genres_reaches_the_items() -> None:
    rows = {"item_id": np.arange(1, ITEMS), "genre": np.arange(1, ITEMS) % 3 + 1}
    schema = Schema([*SCHEMA, ColumnSchema("genre", [Tags.ITEM, Tags.CATEGORICAL], domain("genre", 4))])
    both = graph() + Graph.from_rows(rows, schema, [("item_id", "has", "genre")])
    made = GraphModel(both, schema, GraphSAGE([5, 3]), dim=DIM)
    made.build()
    assert sorted(made.nodes.tables) == ["genre", "item_id", "user_id"]
    before = made.encode_item({"item_id": tf.constant([11])}).numpy()
    made.nodes.tables["genre"].embeddings.assign(made.nodes.tables["genre"].embeddings + 1.0)
    assert not np.allclose(made.encode_item({"item_id": tf.constant([11])}), before)


def raw_rows() -> tuple[tfdual.Rows, tfdual.Preprocessor, Schema]:
    schema = Schema(
        [
            ColumnSchema("user", [Tags.USER_ID], dtype="string"),
            ColumnSchema("item", [Tags.ITEM_ID], dtype="int64"),
            ColumnSchema("history", [Tags.USER], {"domain": {"name": "item"}}, is_list=True),
        ]
    )
    items = np.arange(20) % 7 + 2**53
    history = [[int(items[i]), int(items[(i + 3) % 20])] for i in range(20)]
    rows = tfdual.read(pa.table({"user": [f"u{i % 5}" for i in range(20)], "item": items, "history": history}), schema)
    return rows, tfdual.Preprocessor(schema).adapt(rows), schema


def test_retriever_finds_what_the_model_scores_and_answers_for_unseen_users(tmp_path: Path) -> None:
    rows, prep, schema = raw_rows()
    train = rows.batch(8).map(prep)
    made = LightGCNModel(Graph.from_rows(train, prep.schema), prep.schema, DIM, 2, neighbours=["history"])
    made.compile(LazyAdam(0.1))
    made.fit(train, epochs=3, verbose=0)
    items = rows.select(schema.select_by_name("item")).unique(by="item")
    retriever = made.to_retriever(items, tfdual.BruteForce(), prep)
    queries = {"user": ["u3", "never seen", "nor this"], "history": [[], [2**53 + 1, 2**53 + 4], []]}
    found = retriever.search(queries, k=7)
    (corpus,) = items.batch(20)
    users = made.encode_query(prep({"user": tf.constant(["u3"]), "history": tf.ragged.constant([[1]], dtype=tf.int64)}))
    scores = (users.numpy() @ made.encode_item(prep(corpus)).numpy().T)[0]
    np.testing.assert_allclose(found["score"][0], -np.sort(-scores), atol=1e-5)
    assert np.isfinite(found["score"]).all()
    assert not np.allclose(found["score"][1], found["score"][2])
    assert made.embedding_space(prep) == retriever.description["embedding_space"]
    before = retriever.search(queries, k=7)["score"]
    made.fit(train, verbose=0)
    np.testing.assert_array_equal(retriever.search(queries, k=7)["score"], before)
    assert made.embedding_space(prep) != retriever.description["embedding_space"]
    folder = retriever.export(tmp_path / "model")
    np.testing.assert_allclose(tfdual.Retriever.load(folder).search(queries, k=7)["score"], before, atol=1e-5)


@pytest.mark.slow
def test_retriever_answers_in_a_fresh_process(tmp_path: Path) -> None:
    rows, prep, _ = raw_rows()
    train = rows.batch(8).map(prep)
    options = EmbeddingOptions(embedding_dim_default=DIM)
    nodes = {"item": InputBlock(prep.schema.select_by_name("item"), options, aggregation="concat")}
    found = Graph.from_rows(train, prep.schema)
    found = found.with_columns("item", rows.unique(by="item").batch(8).map(prep))
    made = GraphModel(found, prep.schema, GraphSAGE([6, 5]), nodes, dim=DIM, neighbours=["history"])
    made.compile(LazyAdam(0.1))
    made.fit(train, epochs=2, verbose=0)
    retriever = made.to_retriever(rows.unique(by="item"), tfdual.BruteForce(), prep)
    require_equal_answers(retriever, tmp_path, {"user": ["u3", "no one"], "history": [[], [2**53]]}, 7)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_that_of_the_model(policy: str) -> None:
    for make in (table_model, column_model):
        exact, mixed, inputs = make(), make(dtype=policy), batch()
        mixed.set_weights(exact.get_weights())
        found = mixed(inputs)
        assert {vectors.dtype.name for vectors in found.values()} == {policy.removeprefix("mixed_")}
        for side, vectors in exact(inputs).items():
            np.testing.assert_allclose(tf.cast(found[side], tf.float32), vectors, rtol=0.05, atol=0.05)


def test_empty_batch_has_nothing_to_learn() -> None:
    made = table_model(l2=0.1, post="l2-norm")
    made.compile(keras.optimizers.SGD(1.0))
    before = made.get_weights()
    assert made.train_on_batch({name: ids[:0] for name, ids in batch().items()}) == 0
    for found, wanted in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"graph": Graph({"user_id": 3, "item_id": ITEMS}, {})}, "'user_id' has 9 ids of 'user_id', and the graph has"),
        ({"graph": Graph({"item_id": ITEMS}, {})}, r"the graph has \{'item_id': 12\}"),
        (
            {"graph": Graph({"user_id": USERS, "item_id": ITEMS}, {("user_id", "a", "item_id"): ([1, 2], [3, 0])})},
            "Nodes of 'item_id' below 1 stand for unknown values and have no edges. user_id>a>item_id has .* node 0",
        ),
        ({"schema": SCHEMA.select_by_name("item_id")}, "one column tagged 'user_id'"),
        ({"nodes": {"genre": MLPBlock([4])}}, r"blocks for \['genre'\]"),
        ({"nodes": {"user_id": InputBlock(SCHEMA.select_by_name("age"))}}, r"reads \['age'\], and the graph's columns"),
        ({"neighbours": ["age"]}, "'age' is none"),
        ({"neighbours": ["sku"]}, "'sku' is none"),
        ({"l2": -1.0}, "l2 is 0 or more"),
        ({"initializer": "zebra"}, "zebra"),
        ({"dim": 0}, "dim >= 1"),
    ],
)
def test_bad_arguments_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphModel(**{"graph": graph(), "schema": SCHEMA} | options)


def test_neighbours_of_a_domain_that_no_relation_leads_from_are_refused() -> None:
    schema = Schema([*SCHEMA, ColumnSchema("friends", [Tags.USER], domain("user_id", USERS), is_list=True)])
    with pytest.raises(ValueError, match="from which 0 relations lead to 'user_id'"):
        GraphModel(graph(), schema, neighbours=["friends"])


def several_relations() -> tuple[Graph, Schema]:
    """Users 1 and 2 bought items 1 and 2, saw 3 and 4, and follow users 5 and 6."""
    named = [("has", "item_id", ITEMS), ("seen", "item_id", ITEMS), ("friends", "user_id", USERS)]
    lists = [ColumnSchema(name, [Tags.USER], domain(of, count), is_list=True) for name, of, count in named]
    bought, saw, follow = (
        ("user_id", "bought", "item_id"),
        ("user_id", "saw", "item_id"),
        ("user_id", "follow", "user_id"),
    )
    edges = {bought: ([1, 2], [1, 2]), saw: ([1, 2], [3, 4]), follow: ([1, 2], [5, 6])}
    return Graph({"user_id": USERS, "item_id": ITEMS}, edges), Schema(
        [*SCHEMA.select_by_name(["user_id", "item_id"]), *lists]
    )


def test_lists_of_neighbours_stand_for_the_relations_that_are_named(tmp_path: Path) -> None:
    both, schema = several_relations()
    relations = {
        "has": ("user_id", "bought", "item_id"),
        "seen": ("user_id", "saw", "item_id"),
        "friends": ("user_id", "follow", "user_id"),
    }
    made = GraphModel(both, schema, GraphSAGE([5, 3]), dim=DIM, neighbours=relations)
    made.build()
    made.nodes.tables["user_id"].embeddings.assign(np.ones((USERS, DIM), "f4") * (np.arange(USERS) > 2)[:, None])
    frozen, known = made.freeze(), made.encode_query({"user_id": tf.constant([1, 2])}).numpy()
    lists = {"has": [[1], [2], [4]], "seen": [[3], [4], [2]], "friends": [[5], [6], [6]]}
    queries = {name: tf.ragged.constant(rows, dtype=tf.int64) for name, rows in lists.items()}
    found = frozen.encode_query({"user_id": tf.constant([0, 0, 0])} | queries).numpy()
    np.testing.assert_allclose(found[:2], known, rtol=1e-4, atol=1e-6)  # their own rows are zeros, as unknown ones' are
    assert not np.allclose(found[2], known[1], atol=1e-3)
    assert made.query_end.neighbours == {Relation(*relations[name]).inverse: name for name in relations}
    again = saved_and_loaded(made, tmp_path)
    np.testing.assert_allclose(
        again.freeze().encode_query({"user_id": tf.constant([0, 0, 0])} | queries), found, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("neighbours", "message"),
    [
        (
            ["has"],
            r"from which 2 relations lead to 'user_id'.*neighbours=\{'has': relation\}, one of \[\('user_id', 'bought'",
        ),
        (["friends"], r"from which 2 relations lead to 'user_id'.*\('user_id', 'follow', 'user_id'\)"),
        ({"has": ("user_id", "wants", "item_id")}, r"Received \('user_id', 'wants', 'item_id'\). Name it"),
        (dict.fromkeys(["has", "seen"], ("user_id", "saw", "item_id")), "'has' and 'seen' both stand for"),
    ],
)
def test_lists_that_dont_tell_their_relation_are_refused(neighbours: object, message: str) -> None:
    both, schema = several_relations()
    with pytest.raises(ValueError, match=message):
        GraphModel(both, schema, neighbours=neighbours)


@pytest.mark.parametrize("relation", [("user_id", "interacts", "item_id"), ("item_id", "~interacts", "user_id"), None])
def test_a_relation_may_be_named_from_either_end(relation: tuple | None) -> None:
    made = table_model(neighbours={"history": ("user_id", "interacts", "item_id"), "buyers": relation})
    assert made.item_end.neighbours == {Relation("user_id", "interacts", "item_id"): "buyers"}


def test_ids_outside_the_graph_get_row_0() -> None:
    made = table_model(1)
    found = made.encode_query({"user_id": tf.constant([0, 99, -1])}).numpy()
    np.testing.assert_array_equal(found, found[[0, 0, 0]])


def test_light_gcn_is_the_default() -> None:
    made = GraphModel(graph(), SCHEMA)
    assert isinstance(made.nodes.encoder, LightGCN)
    assert made.objective.temperature == 1


def test_items_of_columns_are_embedded_as_they_are_served(tmp_path: Path) -> None:
    rows, prep, _ = raw_rows()
    train, items = rows.batch(8).map(prep), rows.unique(by="item")
    options = EmbeddingOptions(embedding_dim_default=DIM)
    nodes = {"item": InputBlock(prep.schema.select_by_name("item"), options, aggregation="concat")}
    found = Graph.from_rows(train, prep.schema).with_columns("item", items.batch(8).map(prep))
    made = GraphModel(found, prep.schema, GraphSAGE([6, 5]), nodes, dim=DIM, neighbours=["history"])
    stored = embed_items(made, items, prep, tmp_path / "items")
    (corpus,) = items.batch(20)
    wanted = made.freeze().encode_item(prep(corpus))
    np.testing.assert_allclose(np.concatenate(list(stored.blocks())), wanted, atol=1e-6)
