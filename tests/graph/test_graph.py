"""Graph: edges merged and ordered, from rows and from arrays; what it refuses."""

import numpy as np
import pytest
import tensorflow as tf

import tfdual
from tests.graph.small import BOUGHT, NEXT, degrees_by_hand, matrix, small_graph
from tests.sample_columns import domain
from tfdual import ColumnSchema, Schema, Tags
from tfdual.graph import Graph, Relation
from tfdual.preprocessing import Passthrough

SCHEMA = Schema(
    [
        ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", 5)),
        ColumnSchema("item_id", [Tags.ITEM_ID], domain("item_id", 7)),
        ColumnSchema("genres", [Tags.ITEM], domain("genre", 4), is_list=True),
        ColumnSchema("also", [Tags.ITEM], domain("item_id", 7), is_list=True),
        ColumnSchema("rating", dtype="float32"),
    ]
)
LIKES = ("user", "likes", "item")


def pairs(graph: Graph, relation: tuple[str, str, str]) -> list[tuple[int, int, float]]:
    edges = graph.edges[relation]
    return list(zip(edges.sources.tolist(), edges.targets.tolist(), edges.weights.tolist(), strict=True))


def test_edges_stand_once_in_the_order_of_their_targets_with_the_sum_of_their_weights() -> None:
    graph = Graph({"user": 3, "item": 4}, {LIKES: ([2, 0, 2, 0], [3, 3, 3, 1], [0.5, 2, 0.25, 1])})
    assert pairs(graph, LIKES) == [(0, 1, 1), (0, 3, 2), (2, 3, 0.75)]
    assert pairs(graph.unweighted(), LIKES) == [(0, 1, 1), (0, 3, 1), (2, 3, 1)]
    back = graph.incoming(Relation(*LIKES).inverse)
    assert (back.sources.tolist(), back.targets.tolist(), back.weights.tolist()) == ([1, 3, 3], [0, 0, 2], [1, 2, 0.75])
    assert back.starts(3).tolist() == [0, 2, 2, 3]


def test_rows_that_repeat_a_pair_count() -> None:
    rows = [{"user_id": [1, 1, 2], "item_id": [3, 3, 4]}, {"user_id": [1], "item_id": [3]}]
    graph = Graph.from_rows(rows, SCHEMA)
    assert graph.nodes == {"user_id": 5, "item_id": 7}
    assert pairs(graph, ("user_id", "interacts", "item_id")) == [(1, 3, 3), (2, 4, 1)]


def test_unknown_ids_make_no_edge() -> None:
    graph = Graph.from_rows({"user_id": [0, 1, 2], "item_id": [3, 0, 4]}, SCHEMA)
    assert pairs(graph, ("user_id", "interacts", "item_id")) == [(2, 4, 1)]


def test_all_ids_of_unknown_values_make_no_edge() -> None:
    schema = Schema(
        [
            ColumnSchema("user_id", [Tags.USER_ID], domain("user_id", 5) | {"shared_ids": 3}),
            ColumnSchema(
                "item_id", [Tags.ITEM_ID], domain("item_id", 7) | {"shared_ids": 7}
            ),  # hashed: 0 alone is unknown
        ]
    )
    graph = Graph.from_rows({"user_id": [0, 1, 2, 3, 4], "item_id": [3, 3, 3, 1, 0]}, schema)
    assert pairs(graph, ("user_id", "interacts", "item_id")) == [(3, 1, 1)]


@pytest.mark.parametrize("ragged", [True, False])
def test_lists_make_an_edge_for_each_value_and_name_the_nodes_of_their_domain(ragged: bool) -> None:
    lists = tf.ragged.constant([[1, 3], [], [2]], dtype=tf.int64) if ragged else np.array([[1, 3], [0, 0], [2, 0]])
    rows = {"item_id": np.array([4, 5, 6]), "genres": lists, "also": lists, "rating": np.array([2.0, 3.0, 4.0])}
    edges = [("item_id", "has", "genres"), ("also", "leads to", "item_id")]
    graph = Graph.from_rows(rows, SCHEMA, edges, weights="rating")
    assert graph.nodes == {"item_id": 7, "genre": 4}
    assert pairs(graph, ("item_id", "has", "genre")) == [(4, 1, 2), (6, 2, 4), (4, 3, 2)]
    assert pairs(graph, ("item_id", "leads to", "item_id")) == [(1, 4, 2), (3, 4, 2), (2, 6, 4)]


def test_rows_come_from_a_dataset() -> None:
    rows = {
        "user_id": np.array([1, 2, 3]),
        "item_id": np.array([4, 5, 6]),
        "genres": tf.ragged.constant([[1], [], [3, 2]]),
    }
    data = tf.data.Dataset.from_tensor_slices(rows).batch(2)
    assert len(Graph.from_rows(data, SCHEMA).edges["user_id", "interacts", "item_id"]) == 3
    assert len(Graph.from_rows(data, SCHEMA, [("item_id", "has", "genres")]).edges["item_id", "has", "genre"]) == 3


def test_graphs_add_up() -> None:
    one = Graph({"user": 3, "item": 4}, {LIKES: ([0, 1], [1, 2])})
    other = Graph({"item": 6, "genre": 2}, {("item", "has", "genre"): ([5], [1])})
    both = one + other + Graph({"user": 3, "item": 4}, {LIKES: ([0], [1])})
    assert both.nodes == {"user": 3, "item": 6, "genre": 2}
    assert pairs(both, LIKES) == [(0, 1, 2), (1, 2, 1)]
    assert pairs(both, ("item", "has", "genre")) == [(5, 1, 1)]


def test_columns_that_are_added_later_stand_beside_those_before() -> None:
    rows = {"item": np.array([1, 2]), "price": np.array([5.0, 7.0]), "tags": tf.ragged.constant([[1], [2, 3]])}
    one = Graph({"item": 3}, {}).with_columns("item", [rows])
    both = one.with_columns("item", [{"item": rows["item"], "size": np.array([1, 2]), "tags": np.array([8, 9])}])
    found = {name: array.tolist() for name, array in both.columns["item"].items()}
    wanted = {"dense:item": [0, 1, 2], "dense:price": [0, 5, 7], "dense:size": [0, 1, 2], "dense:tags": [0, 8, 9]}
    assert found == wanted


def test_columns_of_graphs_add_up_unless_they_differ() -> None:
    def graph(**columns: list) -> Graph:
        return Graph({"item": 3}, {}).with_columns("item", [{"item": np.array([1, 2])} | columns])

    both = graph(price=np.array([5, 7])) + graph(size=np.array([1, 2]), price=np.array([5, 7]))
    found = {name: array.tolist() for name, array in both.columns["item"].items()}
    assert found == {"dense:item": [0, 1, 2], "dense:price": [0, 5, 7], "dense:size": [0, 1, 2]}
    for other in (np.array([5, 8]), tf.ragged.constant([[5], [7]])):
        with pytest.raises(ValueError, match=r"Both graphs have columns \['price'\] of 'item', and not the same"):
            graph(price=np.array([5, 7])) + graph(price=other)


def test_degrees_count_both_ends_of_every_edge() -> None:
    graph = small_graph(weighted=True)
    for node_type, degrees in degrees_by_hand(graph).items():
        np.testing.assert_allclose(graph.degrees()[node_type], degrees, rtol=1e-6)
    isolated = {node_type: ids.tolist() for node_type, ids in graph.isolated().items()}
    assert isolated == {"user": [4], "item": [6], "genre": [0]}


def test_self_loops_are_edges_until_they_are_left_out() -> None:
    graph = small_graph()
    assert matrix(graph, NEXT)[3, 3] == 1
    without = graph.without_self_loops()
    assert [(source, target) for source, target, _ in pairs(without, NEXT)] == [(2, 3), (4, 5)]
    assert len(without.edges[BOUGHT]) == len(graph.edges[BOUGHT])


def test_a_config_tells_of_all_but_the_edges() -> None:
    graph = small_graph()
    outline = Graph.from_config(graph.to_config())
    assert outline.is_outline
    assert not graph.is_outline
    assert (outline.nodes, list(outline.edges)) == (graph.nodes, list(graph.edges))
    assert outline.to_config() == graph.to_config()


def test_columns_are_in_the_order_of_the_ids() -> None:
    graph = Graph({"item": 4}, {})
    batches = [
        {"sku": np.array([3, 1]), "price": np.array([0.3, 0.1], "f4"), "tags": tf.ragged.constant([[7, 8], [5]])},
        {"sku": np.array([2]), "price": np.array([0.2], "f4"), "tags": tf.ragged.constant([[]], dtype=tf.int32)},
    ]
    found = graph.with_columns("item", batches, "sku").columns["item"]
    assert found["dense:sku"].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found["dense:price"], [0, 0.1, 0.2, 0.3], rtol=1e-6)
    assert found["values:tags"].tolist() == [5, 7, 8]
    assert found["row_splits:tags"].tolist() == [0, 0, 1, 1, 3]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (
            {LIKES: ([0, 3], [1, 1])},
            r"sources of the edges user>likes>item name nodes outside 'user', .* 0 .. 2: \[3\]",
        ),
        ({LIKES: ([0, 1], [1, -1])}, r"targets .* outside 'item', .* 0 .. 3: \[-1\]"),
        ({LIKES: ([0, 1], [1])}, "2 sources, 1 targets"),
        ({LIKES: ([0, 1], [1, 1], [1.0])}, "1 weights"),
        ({LIKES: ([0, 1], [1, 1], [1.0, 0.0])}, r"above 0. Received \[0.0\]"),
        ({LIKES: ([0, 1], [1, 1], [1.0, float("nan")])}, r"above 0. Received \[nan\]"),
        ({LIKES: ([[0]], [[1]])}, r"shape \(1, 1\)"),
        ({LIKES: ([0],)}, "sources, targets"),
        ({("user", "likes"): ([0], [1])}, "three strings"),
        ({("user", "~likes", "item"): ([0], [1])}, "doesn't begin with '~'"),
        ({("user", "likes", "book"): ([0], [1])}, r"node type 'book'. There are \['item', 'user'\]"),
    ],
)
def test_bad_edges_are_refused(edges: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph({"user": 3, "item": 4}, edges)


def test_ids_that_are_no_integers_are_refused() -> None:
    with pytest.raises(TypeError, match="float64. Map raw values"):
        Graph({"user": 3, "item": 4}, {LIKES: ([0.5], [1])})
    with pytest.raises(ValueError, match=r"at least 1. Received none of \['user'\]"):
        Graph({"user": 0}, {})


def test_a_graph_without_edges_is_one() -> None:
    assert Graph({"user": 2, "item": 3}, {LIKES: ([], [])}).isolated()["item"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ({"user_id": [1], "item_id": [9]}, {}, r"outside 'item_id', which has 7, 0 .. 6: \[9\]"),
        ({"user_id": [1]}, {}, r"lack the column 'item_id'. They have \['user_id'\]"),
        ([], {}, "at least one row"),
        ({"rating": [1.0]}, {"edges": [("user_id", "x", "rating")]}, "'rating' have no known largest value"),
        ({"user_id": [1]}, {"edges": [("user_id", "x", "sku")]}, "no column 'sku'"),
        ({"genres": [[1]], "also": [[1]]}, {"edges": [("genres", "x", "also")]}, "hold lists"),
        ({"user_id": [1], "item_id": [1]}, {"weights": "price"}, "lack the column 'price'"),
        ({"user_id": [1], "item_id": [1]}, {"edges": [("user_id", "item_id")]}, r"Received \('user_id', 'item_id'\)"),
        ({"user_id": [1], "item_id": [1]}, {"edges": ["user_id"]}, "target column.* Received 'user_id'"),
        (
            {"user_id": [1], "item_id": [1], "also": tf.ragged.constant([[1, 2]])},
            {"weights": "also"},
            "one number a row. 'also' holds lists",
        ),
        (
            {"user_id": [1, 2], "item_id": [1, 1], "rating": [-0.5, 1]},
            {"weights": "rating"},
            r"'rating' holds \[-0.5\].* Preprocessor\(schema, \{'rating': Passthrough\(\)\}\), or tag .* WEIGHT",
        ),
    ],
)
def test_bad_rows_are_refused(rows: object, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph.from_rows(rows, SCHEMA, **options)


@pytest.mark.parametrize("tags", [[], [Tags.WEIGHT]])
def test_weights_are_the_numbers_of_the_rows_if_they_pass_through(tags: list) -> None:
    schema = Schema([*SCHEMA.select_by_name(["user_id", "item_id"]), ColumnSchema("stars", tags, dtype="float32")])
    rows = tfdual.read({"user_id": [3, 3, 4], "item_id": [5, 6, 6], "stars": [1.0, 5.0, 4.0]}, schema)
    prep = tfdual.Preprocessor(schema, {} if tags else {"stars": Passthrough()}).adapt(rows)
    graph = Graph.from_rows(rows.batch(2).map(prep), prep.schema, weights="stars")
    assert sorted(pairs(graph, ("user_id", "interacts", "item_id"))) == [(1, 1, 5), (1, 2, 1), (2, 1, 4)]


def test_rows_that_are_no_columns_are_refused() -> None:
    with pytest.raises(TypeError, match="Received list"):
        Graph.from_rows([[1, 2]], SCHEMA)
    with pytest.raises(ValueError, match="tagged USER_ID"):
        Graph.from_rows({"item_id": [1]}, SCHEMA.select_by_name("item_id"))


def test_nodes_of_unknown_values_need_no_row_of_columns() -> None:
    graph, rows = Graph({"item": 5}, {}), [{"item": np.array([4, 3]), "price": np.array([0.4, 0.3], "f4")}]
    found = graph.with_columns("item", rows, unknown=3).columns["item"]
    np.testing.assert_allclose(found["dense:price"], [0, 0, 0, 0.3, 0.4], rtol=1e-6)
    with pytest.raises(
        ValueError, match=r"2 nodes of 'item' have no row, such as \[1, 2\].* from 1 on; .*unknown=\.\.\."
    ):
        graph.with_columns("item", rows)


def test_nodes_without_a_row_of_columns_are_refused() -> None:
    graph = Graph({"item": 4}, {})
    with pytest.raises(ValueError, match=r"1 nodes of 'item' have no row, such as \[2\]"):
        graph.with_columns("item", [{"item": np.array([1, 3])}])
    with pytest.raises(ValueError, match=r"outside 0 .. 3: \[4\]"):
        graph.with_columns("item", [{"item": np.array([1, 2, 3, 4])}])
    with pytest.raises(ValueError, match="no nodes of the type 'user'"):
        graph.with_columns("user", [])
    with pytest.raises(ValueError, match="more nodes in the other graph"):
        graph.with_columns("item", [{"item": np.array([1, 2, 3])}]) + Graph({"item": 9}, {})
