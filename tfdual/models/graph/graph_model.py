"""Embeddings of nodes by their neighbours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keras import ops

from tfdual._build import build_once, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.features.initializers import Initializer, check_initializer, initializer_config, initializer_from
from tfdual.graph import Graph, GraphEncoder, LightGCN, Relation
from tfdual.graph.sampled_tree import is_sampled
from tfdual.models.contrastive_objective import column_of
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.graph.frozen_until_changed import FrozenUntilChanged, on_first_call
from tfdual.models.graph.graph_nodes import GraphNodes, Layers
from tfdual.models.graph.node_ends import Neighbours, NodeEnd, ends_of, plain
from tfdual.models.graph.node_vectors import NodeVectors
from tfdual.models.graph.once_a_step import OnceAStep
from tfdual.models.graph.propagated_model import PropagatedModel
from tfdual.models.graph.unseen_nodes import UnseenNodes
from tfdual.models.id_column import id_column
from tfdual.models.item_bias import bias_table, with_bias, with_one
from tfdual.models.side import Side
from tfdual.preprocessing import Preprocessor
from tfdual.schema import Schema, Tags

Columns = dict[str, Tensor]


@register
class GraphModel(DualEncoder):
    """A query and an item are nodes of a graph; their embeddings are made of their own vectors and their neighbours'.

    In a step all nodes are propagated once, for queries, items and negatives alike; where the rows come through a
    `NeighbourSampler`, those of the batch and their samples alone. What is evaluated and served is `freeze()`: the
    embeddings of all nodes, propagated once and looked up. An unknown node's is made of its columns and its list of
    `neighbours`, of what there is for its side; else a query's is the mean of all, and an item's zeros.

    Args:
        graph: Graph. Its edges and columns are saved with the weights; the config holds its types and sizes.
        schema: Schema. Model-ready columns, one tagged `USER_ID` and one tagged `ITEM_ID`: the queries' nodes and the
            items', of the types that their domains are called.
        encoder: GraphEncoder. Defaults to `None`: `LightGCN()`.
        nodes: mapping of a node type -> block from the graph's columns of such nodes to their initial vectors, such as
            `InputBlock(schema, aggregation="concat") >> MLPBlock([64])`. Other types have a row of a table each.
        dim: int. Width of these rows. Defaults to 64.
        neighbours: names of columns of id lists, tagged `USER` or `ITEM`: neighbours of a query's or an item's node
            that the graph doesn't have; where several relations lead from such nodes to it, a mapping of the names ->
            (source, name, target), as of edges from the node. `[]`: such a node is embedded by the columns of its block
            alone. Defaults to `None`: it is not embedded, and a request needs the id alone.
        item_bias: bool. Add a learned number for each item to its score; the embeddings are wider by 1 then.
            Defaults to `False`.
        post: `"l2-norm"`, a Keras layer, or None; the last step of both sides. Defaults to `None`.
        initializer: a Keras initialiser of the tables' rows, by name or object. Defaults to `"uniform"`.
        l2: float. Adds `l2 * mean(sum(v ** 2))` to the loss, of the initial vectors of a batch's queries, and of its
            items. Defaults to 0.
        options: how it trains, see `ContrastiveObjective` and `DualEncoder`. The `temperature` defaults to 1 without
            `post`.

    Input: dict of column name -> tensor.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        ValueError: not one column with each tag, or one of another size than the graph's nodes; blocks for types that
            aren't there, or have no columns; lists of neighbours that don't tell their relation; a negative `l2`; and
            what the options refuse.

    Example:
        >>> from tfdual import ColumnSchema
        >>> user = ColumnSchema("user", [Tags.USER_ID], {"domain": {"max": 3}})
        >>> item = ColumnSchema("item", [Tags.ITEM_ID], {"domain": {"max": 4}})
        >>> rows = {"user": ops.array([1, 1, 2, 3]), "item": ops.array([1, 2, 2, 4])}
        >>> graph = Graph.from_rows(rows, Schema([user, item]))
        >>> model = GraphModel(graph, Schema([user, item]), LightGCN(layers=2), dim=8)
        >>> tuple(model(rows)["query"].shape)
        (4, 8)

    Reference: He et al., 2020, arXiv:2002.02126; Hamilton et al., 2017, arXiv:1706.02216; Kipf and Welling, 2017,
        arXiv:1609.02907
    """

    def __init__(
        self,
        graph: Graph,
        schema: Schema,
        encoder: GraphEncoder | None = None,
        nodes: Mapping[str, LayerLike] | None = None,
        dim: int = 64,
        neighbours: Neighbours | None = None,
        item_bias: bool = False,
        post: LayerLike | None = None,
        initializer: Initializer = "uniform",
        l2: float = 0.0,
        **options: Any,
    ) -> None:
        query = id_column(schema, Tags.USER_ID)
        item = id_column(schema, Tags.ITEM_ID, options.pop("item_id", None))
        if options.get("temperature") is None and post is None:
            options["temperature"] = 1.0
        if not 0 <= l2 < float("inf"):
            raise ValueError(f"l2 is 0 or more. Received {l2}.")
        check_initializer(initializer)
        super().__init__(item[0], **options)
        self._schema, self._graph_config = schema, graph.to_config()
        self.dim, self.item_bias = dim, item_bias
        self.neighbours = plain(neighbours)
        self.initializer, self.l2 = initializer, l2
        self.query_end, self.item_end = ends_of(graph, schema, query, item, self.neighbours or [])
        self.nodes = GraphNodes(
            graph,
            LightGCN() if encoder is None else encoder,
            [self.query_end.node_type, self.item_end.node_type],
            nodes or {},
            dim,
            initializer,
            name="nodes",
            dtype=self.dtype_policy,
        )
        self.query_post = None if post is None else Block.parse(post)
        self.item_post = None if post is None else fresh_copy(Block.parse(post))
        self.biases = bias_table(item[1], self.dtype_policy) if item_bias else None
        self._once = OnceAStep()
        self._frozen = FrozenUntilChanged(self.freeze, self._put_into)

    def to_graph(self) -> Graph:
        """The graph, with the edges and columns that were given or loaded."""
        return self.nodes.stored.to_graph()

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.nodes)
        width = self.nodes.output_width
        for post in (self.query_post, self.item_post):
            if post is not None:
                build_once(post, (None, width))
        if self.biases is not None:
            build_once(self.biases)
        self.embedding_dim = width if self.item_post is None else self.item_post.compute_output_shape((None, width))[-1]
        self.build_training(self.embedding_dim + self.item_bias)

    def call(self, inputs: Columns, training: bool | None = None) -> Columns:
        with self._once.step():
            outputs = super().call(inputs, training)
        if training and self.l2:
            self.add_loss(self.l2 * sum(self._mean_square(end, inputs) for end in (self.query_end, self.item_end)))
        return outputs

    def _mean_square(self, end: NodeEnd, inputs: Columns) -> Tensor:
        vectors = ops.cast(self.nodes.initial(end.node_type, inputs[end.column]), "float32")
        return ops.sum(ops.square(vectors)) / ops.maximum(ops.cast(ops.shape(vectors)[0], "float32"), 1)

    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        """A step, in which all nodes are propagated once; in parts, once for each."""
        if self.parts > 1:
            return super().train_step(*args, **kwargs)
        with self._once.step():
            return super().train_step(*args, **kwargs)

    def test_step(self, *args: Any, **kwargs: Any) -> Any:
        """A step, in which all nodes are propagated once."""
        with self._once.step():
            return super().test_step(*args, **kwargs)

    def encode_query(self, inputs: Columns, training: bool | None = None) -> Tensor:
        """The embeddings of the queries' nodes, `(batch, dim)`."""
        found = self._embedded(self.query_end, inputs, training)
        found = found if self.query_post is None else self.query_post(found, training=training)
        return found if self.biases is None else with_one(found)

    def encode_item(self, inputs: Columns, training: bool | None = None) -> Tensor:
        """The embeddings of the items' nodes, `(batch, dim)`."""
        found = self._embedded(self.item_end, inputs, training)
        found = found if self.item_post is None else self.item_post(found, training=training)
        return found if self.biases is None else with_bias(found, self.biases(inputs[self.item_id]))

    def _embedded(self, end: NodeEnd, inputs: Columns, training: bool | None) -> Tensor:
        self._build_unless_built()
        ids = column_of(inputs, end.column, "ids of nodes")
        if is_sampled(inputs, end.column):
            return ops.cast(self.nodes.over_samples(end, inputs, training), self.compute_dtype)
        layers = self._once.get(lambda: self.nodes.over_all(training))
        table = self.nodes.finished(layers, end.node_type)
        inside = ops.logical_and(ids >= 0, ids < end.nodes)
        return ops.cast(ops.take(table, ops.where(inside, ids, 0), axis=0), self.compute_dtype)

    def freeze(self) -> PropagatedModel:
        """The embeddings of all nodes as they are now, propagated once, as a model that looks them up."""
        self._build_unless_built()
        layers = self.nodes.over_all(False)
        widths = [{relation: sent.shape[-1] for relation, sent in of.items()} for of in self.nodes.messages(layers)]
        query, item = (self._vectors(end, widths) for end in (self.query_end, self.item_end))
        frozen = PropagatedModel(self.item_id, query, item)
        frozen.build()
        self._put(layers, frozen)
        return frozen

    def _post(self, end: NodeEnd) -> Any:
        return self.query_post if end is self.query_end else self.item_post

    def _vectors(self, end: NodeEnd, widths: Sequence[Mapping[Relation, int]]) -> NodeVectors:
        """One side of the frozen model, without values."""
        encoder, tower = self.nodes.copies(end.node_type)
        post = self._post(end)
        if post is not None:
            post = fresh_copy(post)
            build_once(post, (None, encoder.output_width))
        width = self.nodes.width(end.node_type)
        parts = encoder, self.nodes.plan, width, widths, tower, post
        unseen = UnseenNodes(end, self.nodes.stored.nodes, *parts)
        told = self.neighbours is not None and (end.neighbours or tower is not None)
        last = None if self.biases is None else float(end is self.query_end)
        return NodeVectors(end, self.embedding_dim, unseen if told else None, last)

    def _put_into(self, frozen: PropagatedModel) -> None:
        self._put(self.nodes.over_all(False), frozen)

    def _put(self, layers: Layers, frozen: PropagatedModel) -> None:
        for end, vectors in ((self.query_end, frozen.query_nodes), (self.item_end, frozen.item_nodes)):
            found, post = self.nodes.finished(layers, end.node_type), self._post(end)
            found = ops.cast(found if post is None else post(found, training=False), "float32")
            if self.biases is not None:
                every = ops.arange(end.nodes)
                found = with_one(found) if end is self.query_end else with_bias(found, self.biases.rows(every))
            # An unknown query of which nothing is known asks for what all ask for; such an item is nobody's.
            known, none = found[end.first_known :], ops.zeros_like(found[:1])
            unknown = ops.mean(known, axis=0, keepdims=True) if end is self.query_end else none
            vectors.table.assign(ops.concatenate([unknown, found[1:]], axis=0))
            if vectors.unseen is not None:
                own = [self.nodes.encoder, self.nodes.towers.get(end.node_type), post]
                vectors.unseen.put(self.nodes.messages(layers), own)

    def _frozen_now(self) -> PropagatedModel:
        self._build_unless_built()
        layers = [layer for layer in (self.nodes, self.query_post, self.item_post, self.biases) if layer is not None]
        return self._frozen.of([variable.value for layer in layers for variable in layer.variables])

    @property
    def compiled_encode_query(self) -> Callable[[Columns], Tensor]:
        """From columns of queries to their embeddings; all nodes are propagated when it is first called."""
        return on_first_call(lambda: self._frozen_now().compiled_encode_query)

    @property
    def compiled_encode_item(self) -> Callable[[Columns], Tensor]:
        """From columns of items to their embeddings; all nodes are propagated when it is first called."""
        return on_first_call(lambda: self._frozen_now().compiled_encode_item)

    @property
    def query_side(self) -> Side:
        """All nodes."""
        return Side([self.query_end.column], [self.nodes, self.query_post])

    @property
    def item_side(self) -> Side:
        """All nodes, and the biases."""
        return Side([self.item_end.column], [self.nodes, self.item_post, self.biases])

    def embedding_space(self, preprocessor: Preprocessor) -> str:
        """That of the embeddings of the items' nodes."""
        return self._frozen_now().embedding_space(preprocessor)

    def served(self) -> PropagatedModel:
        """`freeze()`: a retriever stays as it is if training goes on."""
        return self.freeze()

    def load_own_variables(self, store: Any) -> None:
        """What every model loads; `GraphNodes` loads the graph."""
        super().load_own_variables(store)
        self._frozen = FrozenUntilChanged(self.freeze, self._put_into)

    def get_config(self) -> dict:
        return super().get_config() | {
            "graph": self._graph_config,
            "schema": self._schema.to_dict(),
            "encoder": serialized(self.nodes.encoder),
            "nodes": serialized({node_type: tower.block for node_type, tower in self.nodes.towers.items()}),
            "dim": self.dim,
            "neighbours": self.neighbours,
            "item_bias": self.item_bias,
            "post": serialized(self.query_post),
            "initializer": initializer_config(self.initializer),
            "l2": self.l2,
        }

    @classmethod
    def from_config(cls, config: dict) -> "GraphModel":
        made = {
            "graph": Graph.from_config(config["graph"]),
            "schema": Schema.from_dict(config["schema"]),
            "initializer": initializer_from(config["initializer"]),
        }
        return super().from_config(config | made)
