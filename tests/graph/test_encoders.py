"""LightGCN, GCN and GraphSAGE over all nodes: against loops over dense matrices; the gradient of the product."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.graph.small import NODES, degrees_by_hand, encoded, matrix, small_graph, vectors
from tfdual.graph import GCN, Graph, GraphEncoder, GraphSAGE, LightGCN, Relation
from tfdual.graph.neighbour_sums import NeighbourSums
from tfdual.graph.plan import Plan
from tfdual.graph.stored_graph import StoredGraph

ENDS = ["user", "item"]


def randomised(encoder: GraphEncoder) -> None:
    rng = np.random.default_rng(5)
    for weight in encoder.weights:
        weight.assign(rng.normal(size=weight.shape))


def whole_matrix(graph: Graph, loops: float) -> np.ndarray:
    """The symmetrically normalised matrix of all nodes, one type after the other."""
    first = dict(zip(graph.nodes, np.cumsum([0, *graph.nodes.values()]), strict=False))
    found = loops * np.eye(sum(graph.nodes.values()))
    for relation in graph.relations:
        block = matrix(graph, relation)
        rows, columns = first[relation.target], first[relation.source]
        found[rows : rows + block.shape[0], columns : columns + block.shape[1]] += block
    degrees = found.sum(axis=1)
    scale = np.where(degrees > 0, 1 / np.sqrt(np.maximum(degrees, 1e-9)), 0)
    return scale[:, None] * found * scale


def by_type(rows: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(NODES, np.split(rows, np.cumsum(list(NODES.values()))[:-1]), strict=True))


@pytest.mark.parametrize("weighted", [True, False])
def test_light_gcn_is_the_mean_of_powers_of_the_normalised_matrix(weighted: bool) -> None:
    graph, initial = small_graph(weighted), vectors()
    found = encoded(LightGCN(layers=3), graph, initial, ENDS)
    rows, product = np.concatenate(list(initial.values())), whole_matrix(graph, loops=0)
    wanted = by_type(sum(np.linalg.matrix_power(product, power) @ rows for power in range(4)) / 4)
    for end in ENDS:
        np.testing.assert_allclose(found[end], wanted[end], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["user"][4], initial["user"][4] / 4, rtol=1e-6)  # an isolated node


@pytest.mark.parametrize("weighted", [True, False])
def test_gcn_is_the_convolution_of_the_paper_on_one_matrix_of_all_nodes(weighted: bool) -> None:
    graph, initial, encoder = small_graph(weighted), vectors(), GCN([4, 2], activation="tanh")
    encoded(encoder, graph, initial, ENDS)
    randomised(encoder)
    found = encoded(encoder, graph, initial, ENDS)
    (first, first_bias), (last, last_bias) = ([weight.numpy() for weight in dense.weights] for dense in encoder.kernels)
    product = whole_matrix(graph, loops=1)
    hidden = np.tanh(product @ np.concatenate(list(initial.values())) @ first + first_bias)
    wanted = by_type(product @ hidden @ last + last_bias)
    for end in ENDS:
        np.testing.assert_allclose(found[end], wanted[end], rtol=1e-4, atol=1e-5)


def sage_by_hand(encoder: GraphSAGE, graph: Graph, initial: dict, ends: list[str]) -> dict[str, np.ndarray]:
    plan, before = Plan(graph.relations, ends, 2), {name: rows.astype("f8") for name, rows in initial.items()}
    for layer in range(2):
        after = {}
        for node_type in plan.types[layer + 1]:
            kernel, bias = (weight.numpy() for weight in encoder.own[f"{layer} {node_type}"].weights)
            after[node_type] = before[node_type] @ kernel + bias
            relations = [relation for relation in graph.relations if relation.target == node_type]
            for relation in relations:
                sent, edges = before[relation.source], matrix(graph, relation) > 0
                if encoder.aggregator == "max":
                    pool, pool_bias = (weight.numpy() for weight in encoder.pools[f"{layer} {relation}"].weights)
                    sent = np.maximum(sent @ pool + pool_bias, 0)
                taken = np.zeros((len(edges), sent.shape[1]))
                for node, of in enumerate(edges):
                    if of.any():
                        taken[node] = sent[of].max(axis=0) if encoder.aggregator == "max" else sent[of].mean(axis=0)
                (neighbours,) = (weight.numpy() for weight in encoder.neighbours[f"{layer} {relation}"].weights)
                share = 1 / len(relations) if encoder.combination == "mean" else 1
                after[node_type] += share * (taken @ neighbours)
            if layer == 0:
                after[node_type] = np.tanh(after[node_type])
            if encoder.normalize:
                after[node_type] /= np.linalg.norm(after[node_type], axis=1, keepdims=True)
        before = after
    return before


@pytest.mark.parametrize("combination", ["sum", "mean"])
@pytest.mark.parametrize("aggregator", ["mean", "max"])
def test_graph_sage_has_weights_for_each_type_and_relation(aggregator: str, combination: str) -> None:
    graph, initial = small_graph(weighted=True), vectors()
    encoder = GraphSAGE([4, 2], aggregator, combination, "tanh", normalize=combination == "sum")
    encoded(encoder, graph, initial, ENDS)
    randomised(encoder)
    found, wanted = encoded(encoder, graph, initial, ENDS), sage_by_hand(encoder, graph, initial, ENDS)
    for end in ENDS:
        np.testing.assert_allclose(found[end], wanted[end], rtol=1e-4, atol=1e-5)


def test_no_weight_is_made_for_what_no_layer_needs() -> None:
    graph, encoder = small_graph(), GraphSAGE([4, 2])
    encoded(encoder, graph, vectors(), ["user"])
    assert sorted(encoder.own) == ["0 item", "0 user", "1 user"]
    assert "1 item>~bought>user" in encoder.neighbours
    assert not [name for name in encoder.neighbours if name.startswith("1 ") and not name.endswith(">user")]


class Plain(LightGCN):
    """Sums by the weights alone."""

    def share(self, degrees: tf.Tensor) -> tf.Tensor:
        return tf.ones_like(degrees)


def sums_of(graph: Graph, relation: Relation, training: bool = True) -> NeighbourSums:
    return StoredGraph(graph, Plain()).gathering(relation, training)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("relation", [Relation("user", "bought", "item"), Relation("genre", "~has", "item")])
def test_gradient_is_the_product_with_the_transposed_matrix(relation: Relation, training: bool, weighted: bool) -> None:
    graph = small_graph(weighted)
    rows = tf.constant(vectors()[relation.source])
    above = np.random.default_rng(1).normal(size=(graph.nodes[relation.target], 3)).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(rows)
        found = sums_of(graph, relation, training)(rows)
    dense = matrix(graph, relation)
    np.testing.assert_allclose(found, dense @ rows.numpy(), rtol=1e-5, atol=1e-6)
    gradient = tape.gradient(found, rows, output_gradients=tf.constant(above))
    np.testing.assert_allclose(gradient, dense.T @ above, rtol=1e-5, atol=1e-6)


def test_second_gradient_goes_through_the_product() -> None:
    relation = Relation("user", "bought", "item")
    rows = tf.constant(vectors()["user"])
    with tf.GradientTape() as outer:
        outer.watch(rows)
        with tf.GradientTape() as tape:
            tape.watch(rows)
            loss = tf.reduce_sum(tf.square(sums_of(small_graph(), relation)(rows)))
        inner = tf.reduce_sum(tf.square(tape.gradient(loss, rows)))
    dense = matrix(small_graph(), relation)
    square = dense.T @ dense
    np.testing.assert_allclose(outer.gradient(inner, rows), 8 * square @ square @ rows.numpy(), rtol=1e-4, atol=1e-5)


def test_a_graph_without_edges_leaves_each_node_by_itself() -> None:
    graph = Graph(NODES, {("user", "bought", "item"): ([], [])})
    found = encoded(LightGCN(2), graph, vectors(), ENDS)
    np.testing.assert_allclose(found["item"], vectors()["item"] / 3, rtol=1e-6)
    for aggregator in ("mean", "max"):
        assert np.isfinite(encoded(GraphSAGE([4, 2], aggregator), graph, vectors(), ENDS)["user"]).all()


def test_degrees_are_those_of_the_graph() -> None:
    graph = small_graph(weighted=True)
    for node_type, wanted in degrees_by_hand(graph).items():
        np.testing.assert_allclose(StoredGraph(graph, LightGCN()).degrees(node_type), wanted, rtol=1e-6)


def test_a_stored_graph_gives_the_graph_back() -> None:
    graph = small_graph(weighted=True).with_columns("genre", [{"genre": np.array([1, 2, 3]), "size": np.ones(3)}])
    again = StoredGraph(graph, LightGCN()).to_graph()
    assert repr(again) == repr(graph)
    for relation, edges in graph.edges.items():
        for name in ("sources", "targets", "weights"):
            np.testing.assert_array_equal(getattr(again.edges[relation], name), getattr(edges, name))
    np.testing.assert_array_equal(again.columns["genre"]["dense:size"], [0, 1, 1, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LightGCN(0), "at least 1 layer"),
        (lambda: GCN([]), "width of at least one layer"),
        (lambda: GraphSAGE([]), "width of at least one layer"),
        (lambda: GraphSAGE([4], "median"), "'median'"),
        (lambda: GraphSAGE([4], combination="max"), "'max'"),
        (lambda: GCN([4, 2], keras.layers.PReLU()), r"GCN takes a name or a function.*the layer 'p_re_lu.*\(PReLU\)"),
        (lambda: GraphSAGE([4, 2], activation=keras.layers.ReLU()), r"GraphSAGE takes a name.*\(ReLU\)"),
        (lambda: encoded(LightGCN(), small_graph(), vectors() | {"user": vectors(5)["user"]}, ENDS), "need one width"),
        (lambda: encoded(GCN(), small_graph(), vectors() | {"user": vectors(5)["user"]}, ENDS), "need one width"),
    ],
)
def test_bad_arguments_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("encoder", [LightGCN(2), GCN([4], "tanh", 0.1), GraphSAGE([4], "max", "mean", "tanh", False)])
def test_config_round_trip(encoder: GraphEncoder) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(encoder))
    assert again.get_config() == encoder.get_config()
