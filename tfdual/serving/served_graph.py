"""The graph that a retriever runs and exports."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.index.seldom import seldom
from tfdual.schema import Schema
from tfdual.serving.examples import parse_examples
from tfdual.serving.item_filter import ItemFilter
from tfdual.serving.raw_input import (
    missing_values,
    one_row_each,
    plainest_query,
    tensor_spec,
    to_dense,
)
from tfdual.serving.search_options import OWN_NAMES, option_defaults, option_specs
from tfdual.serving.served_items import ServedItems
from tfdual.serving.served_tower import Columns, ServedTower, pair_schema

DEFAULT_TOWER = "default"
_BETWEEN = "\x1f"

Find = Callable[[Columns, Columns], Columns]


def signature_name(name: str, tower: str) -> str:
    """The name of a tower's signature: `serving_default`, or `serving_b` for the tower `b`."""
    return name if tower == DEFAULT_TOWER else f"{name.removesuffix('_default')}_{tower}"


class ServedGraph(tf.Module):
    """Raw query columns -> preprocessing -> query tower -> index -> ids, scores and item attributes.

    Args:
        towers: mapping of name -> ServedTower. Query towers; the one called `"default"` serves `serving_default`.
        items: ServedItems.

    Raises:
        ValueError: a column has the name of an input or output of the signatures' own; there is no default tower; a
            tower lacks a column that the re-ranker reads, or it doesn't give one score a pair.
    """

    def __init__(self, towers: Mapping[str, ServedTower], items: ServedItems) -> None:
        super().__init__()
        if DEFAULT_TOWER not in towers:
            raise ValueError(f"One query tower is called {DEFAULT_TOWER!r}. Received {sorted(towers)}.")
        for tower in towers.values():
            _refuse_own_names(tower.schema, items.attributes)
        self.towers, self.items = dict(towers), items
        if items.reranker is not None:
            for tower in towers.values():
                query = tower.ready(to_dense(plainest_query(tower.schema), tower.schema))
                items.reranker.try_out(query, items.features.at)
        self.resources = [resource for tower in towers.values() for resource in tower.resources]
        self.resources += [*items.index.resources, *items.columns.variables, *items.features.variables]
        self.resources += items.tower.resources if items.tower else []
        self.resources += items.reranker.variables if items.reranker else []
        self._functions, self._defaults = self._made()
        self._made_for = items.index.items.changed
        self.item_ids = tf.function(items.index.items.live_ids, input_signature=[], autograph=False)
        self.item_attributes = tf.function(self._live_attributes, input_signature=[], autograph=False)
        if items.filters:
            terms = tf.TensorSpec([None], tf.string, name="filter")
            self.filtered_ids = tf.function(self._live_filtered, input_signature=[terms], autograph=False)

    @property
    def id_kind(self) -> str:
        """`"int64"` or `"string"`."""
        return self.items.index.items.kind

    @property
    def functions(self) -> dict[str, Any]:
        """What TensorFlow Serving offers: signature name -> function of its inputs by name.

        They are for the index of now: the first change, and the first deletion, makes others.
        """
        if self._made_for != (changed := self.items.index.items.changed):
            self._functions, self._defaults = self._made()
            self._made_for = changed
        return self._functions

    @property
    def defaults(self) -> dict[str, dict[str, Tensor]]:
        """Signature name -> input name -> the value of an input that is left out."""
        return self._defaults

    def describe(self) -> dict[str, Any]:
        """What a caller must know, as plain JSON types."""
        items, schemas = self.items, {name: tower.schema.to_dict() for name, tower in self.towers.items()}
        return {
            "query_schema": schemas.pop(DEFAULT_TOWER),
            "other_towers": schemas,
            "id_dtype": self.id_kind,
            "attributes": list(items.attributes),
            "filters": {name: items.columns.dtype(name) for name in items.filters},
            "item_tower": items.tower and items.tower.schema.to_dict(),
            "reranker": items.reranker and items.reranker.describe(),
            "index": items.index.describe(),
            "embedding_space": items.index.space,
        }

    def _made(self) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
        """The signatures of each query tower, and those that need the items' own."""
        functions: dict[str, Any] = {}
        defaults: dict[str, dict[str, Tensor]] = {}
        option = option_specs(self.id_kind, bool(self.items.filters))
        left_out = option_defaults(self.id_kind, bool(self.items.filters))

        def add(name: str, tower: str, function: Callable[[Columns], Any], schema: Schema, options: bool) -> None:
            name = signature_name(name, tower)
            specs = {column.name: tensor_spec(column) for column in schema} | (option if options else {})
            functions[name] = tf.function(function, input_signature=[specs], autograph=False)
            defaults[name] = missing_values(schema) | (left_out if options else {})

        for name, tower in self.towers.items():
            find = tf.function(partial(self._found, tower), autograph=False)  # traced once for both
            add("serving_default", name, _searching(tower, find, list(option)), tower.schema, True)
            add("embed_query", name, _embedding(tower), tower.schema, False)
            functions[signature_name("serving_examples", name)] = self._searching_examples(tower, find)
            if self.items.tower is not None:
                both = pair_schema(tower.schema, self.items.tower.schema)
                add("score", name, self._scoring(tower, self.items.tower), both, False)
        if self.items.tower is not None:
            add("embed_item", DEFAULT_TOWER, _embedding(self.items.tower), self.items.tower.schema, False)
        return functions, defaults

    def _searching_examples(self, tower: ServedTower, find: Find) -> Any:
        filtered = bool(self.items.filters)
        spec = tf.TensorSpec([None], tf.string, name="examples")
        return tf.function(
            lambda examples: find(*parse_examples(examples, tower.schema, self.id_kind, filtered)),
            input_signature=[spec],
            autograph=False,
        )

    def _scoring(self, query: ServedTower, item: ServedTower) -> Callable[[Columns], Columns]:
        schema = pair_schema(query.schema, item.schema)

        def score(inputs: Columns) -> Columns:
            inputs = one_row_each(inputs, schema)
            queries, items = (
                tower.embed({name: inputs[name] for name in tower.schema.column_names}) for tower in (query, item)
            )
            return {"score": self.items.index.pair_scores(queries, items)}

        return score

    def _found(self, tower: ServedTower, features: Columns, options: Columns) -> Columns:
        """Ids, scores and attributes, `(batch, k)`; `k` the largest of the batch."""
        index, columns, reranker = self.items.index, self.items.columns, self.items.reranker
        queries, ready = tower.encoded(features)
        with tf.control_dependencies([_at_least_one(options["k"])]):
            most = tf.maximum(tf.reduce_max(options["k"]), 1)  # an empty batch has none
        wanted = most if reranker is None else tf.maximum(most, reranker.candidates)
        positions, scores = self._searched(queries, wanted, options)
        if reranker is not None:
            # Of a batch with different k, a query gets the candidates that it would get alone.
            own = tf.range(tf.shape(positions)[1]) < tf.maximum(options["k"], reranker.candidates)[:, None]
            positions = tf.where(own, positions, -1)
            positions, scores = reranker.best(positions, most, ready, self.items.features.at)
        inside = tf.range(tf.shape(positions)[1]) < options["k"][:, None]
        positions, scores = tf.where(inside, positions, -1), tf.where(inside, scores, -float("inf"))
        attributes = {name: columns.at_or_missing(name, positions) for name in self.items.attributes}
        return {"id": index.items.ids_now(positions), "score": scores, **attributes}

    def _searched(self, queries: Tensor, k: Tensor, options: Columns) -> tuple[Tensor, Tensor]:
        """Positions and scores. A request that excludes nothing and has no filter pays for neither."""
        narrowed = tf.size(options["exclude"]) > 0
        if self.items.filters:
            narrowed |= tf.reduce_any(options["filter"] != "")
        return tf.cond(
            narrowed,
            seldom(lambda: self._narrowed(queries, k, options)),
            lambda: self.items.index.search_now(queries, k),
        )

    def _narrowed(self, queries: Tensor, k: Tensor, options: Columns) -> tuple[Tensor, Tensor]:
        index, exclude = self.items.index, options["exclude"]
        exclude = tf.broadcast_to(exclude, [tf.shape(queries)[0], tf.shape(exclude)[1]])
        exclude = index.items.positions_now(exclude)
        if not self.items.filters:
            return index.search_now(queries, k, exclude)
        return tf.cond(
            tf.reduce_any(options["filter"] != ""),
            lambda: index.search_now(queries, k, exclude, self._allowed(options["filter"])),
            lambda: index.search_now(queries, k, exclude),
        )

    def _live_attributes(self) -> Columns:
        """Those of the items that can be found, each `(items,)`, in the order of `item_ids`."""
        held = self.items.index.items
        positions = held.positions(held.live_ids())
        return {name: self.items.columns.at(name, positions) for name in self.items.attributes}

    def _live_filtered(self, terms: Tensor) -> Tensor:
        """The ids that can be found and that a filter lets through."""
        ids = self.items.index.items.live_ids()
        allowed = self._allowed(terms[None])[0]
        return tf.boolean_mask(ids, tf.gather(allowed, self.items.index.items.positions(ids)))

    def _allowed(self, terms: Tensor) -> Tensor:
        """Bool `(1, items)`, or `(batch, items)` where the queries' filters differ."""
        columns = {name: self.items.columns.tensor(name) for name in self.items.filters}
        nullable = {column.name for column in self.items.schema if column.nullable}
        passes = ItemFilter(columns, self.items.index.items.positions_in_graph, nullable)
        different, which = tf.unique(tf.strings.reduce_join(terms, axis=1, separator=_BETWEEN))

        def mask(joined: Tensor) -> Tensor:
            parts = tf.strings.split(joined, _BETWEEN)
            return passes(tf.boolean_mask(parts, parts != ""))

        masks = tf.map_fn(mask, different, fn_output_signature=tf.TensorSpec([None], tf.bool))
        return tf.cond(tf.size(different) == 1, lambda: masks, lambda: tf.gather(masks, which))


def _searching(tower: ServedTower, find: Find, options: Sequence[str]) -> Callable[[Columns], Columns]:
    def search(inputs: Columns) -> Columns:
        inputs = one_row_each(inputs, tower.schema)
        features = {name: inputs[name] for name in tower.schema.column_names}
        return find(features, {name: inputs[name] for name in options})

    return search


def _embedding(tower: ServedTower) -> Callable[[Columns], Columns]:
    return lambda inputs: {"embedding": tower.embed(one_row_each(inputs, tower.schema))}


def _at_least_one(k: Tensor) -> Any:
    return tf.debugging.Assert(tf.reduce_all(k >= 1), ["k is at least 1. Received", k])


def _refuse_own_names(schema: Schema, attributes: Sequence[str]) -> None:
    taken = sorted(set(schema.column_names) & set(OWN_NAMES)) + sorted(set(attributes) & {"id", "score"})
    if taken:
        raise ValueError(
            f"The signatures' own inputs are called {list(OWN_NAMES)}, and their own outputs 'id' and 'score'. "
            f"Rename the columns {taken}."
        )
