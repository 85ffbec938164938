"""Model-ready columns to vectors."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfdual._backend import has_values
from tfdual._build import build_chain, build_once, chain_output_shape, fresh_copy, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.blocks.block import LayerLike
from tfdual.blocks.with_weights import with_weights
from tfdual.features.column_choices import Choices, choose, general
from tfdual.features.column_kinds import LOOKED_UP, NUMBERS, check_column, shape_of
from tfdual.features.embedding_options import EmbeddingOptions
from tfdual.features.one_hot_encoder import OneHotEncoder
from tfdual.features.sequence_places import dense_weights
from tfdual.features.table import Table
from tfdual.fusion import AttentionFusion, as_fusion
from tfdual.schema import ColumnSchema, Kind, Schema, Tags


@register
class FeatureEncoder(Block):
    """Turn each column of a schema into a vector, by its kind or by a layer of your choice.

    | kind of column | default | others |
    |---|---|---|
    | dense | itself, of width 1 | `Dense`, `MLPBlock`, `PeriodicEncoder`, `PiecewiseLinearEncoder` |
    | categorical id | a row of the table of its domain | `OneHotEncoder`; another `Table` |
    | id list | rows of the table, combined | a combiner's name, `AttentionPooling`, `GRUEncoder`, ... |
    | embedding | itself | `Dense`, `MLPBlock` |
    | string | refused: map it with a `Preprocessor` | a layer that takes strings |

    Columns of one domain share one table. Columns tagged WEIGHT are no features of their own: they weigh the ids of the
    list whose property `"weights"` names them.

    Args:
        schema: Schema. Model-ready columns, such as `Preprocessor.schema` gives.
        embedding_options: EmbeddingOptions. How tables are made. Defaults to `EmbeddingOptions()`.
        encoders: mapping of column name, tag or kind -> Keras layer from the column to a vector; the name goes before
            the tag, the tag before the kind; under a tag or kind, each column gets a copy. Dense columns come as
            `(batch, 1)`. Defaults to none.
        combiners: mapping of column name, tag or kind -> how an id list becomes one vector: a name (`"mean"`, `"sum"`,
            `"sqrtn"`, `"max"`), or a layer called as `layer(rows, mask, weights)`. Defaults to
            `embedding_options.combiner` for all.
        tables: mapping of domain name -> `Table`. Defaults to an `EmbeddingTable` for each domain.
        post: layer that the dict of vectors passes. Defaults to `None`.
        aggregation: a fusion, or its name such as `"concat"`. Defaults to `None`: the dict is the output. An
            `AttentionFusion` is told which rows have an empty list.

    Input: dict of column name -> tensor; columns of no schema are left out.
    Output: dict of column name -> `(batch, width)`, or what the aggregation gives.

    Raises:
        ValueError: no column, a categorical column of unknown cardinality, raw text, columns that share a table but
            not its size, a choice for a column that is not there, a column missing from the input.

    Example:
        >>> column = ColumnSchema("genre", [Tags.CATEGORICAL], {"domain": {"name": "genre", "min": 0, "max": 20}})
        >>> tuple(FeatureEncoder(Schema([column]))({"genre": ops.convert_to_tensor([3, 4])})["genre"].shape)
        (2, 64)

    Reference: NVIDIA Merlin Models, `InputBlock`
    """

    def __init__(
        self,
        schema: Schema,
        embedding_options: EmbeddingOptions | None = None,
        encoders: Mapping[str, keras.layers.Layer] | None = None,
        combiners: Mapping[str, str | keras.layers.Layer] | None = None,
        tables: Mapping[str, Table] | None = None,
        post: LayerLike | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        weights = [column.weights for column in schema if column.weights]
        self._schema = schema
        self._columns = [column for column in schema if column.name not in weights and Tags.WEIGHT not in column.tags]
        if not self._columns:
            raise ValueError("FeatureEncoder needs at least one column. Received none.")
        self.embedding_options = embedding_options or EmbeddingOptions()
        self.encoders = choose("encoders", encoders or {}, self._columns, list(Kind))
        self._looked_up = [c for c in self._columns if c.name not in self.encoders and c.kind in LOOKED_UP]
        lists = [column for column in self._looked_up if column.kind is Kind.ID_LIST]
        self.combiners = choose("combiners", combiners or {}, lists, [Kind.ID_LIST])
        self._general = Choices(encoders or {}, combiners or {})
        for column in self._columns:
            check_column(column, column.name in self.encoders)
        self.tables = self._make_tables(tables or {})
        own = {column.name: self.tables[column.domain_name].combiner for column in lists}
        self.combiners = own | self.combiners  # said for each list, since a table may be replaced by another side's
        self.post = None if post is None else self.parse(post)
        self.aggregation = as_fusion(aggregation)

    @property
    def schema(self) -> Schema:
        """The columns."""
        return self._schema

    def input_blocks(self) -> list[Block]:
        """This block."""
        return [self]

    def _make_tables(self, given: Mapping[str, Table]) -> dict[str, Table]:
        if unknown := sorted(set(given) - {column.domain_name for column in self._looked_up}):
            raise ValueError(
                f"There are tables for {unknown}, which no looked-up column has for its domain. The domains are "
                f"{sorted({column.domain_name for column in self._looked_up})}."
            )
        tables, options = dict(given), self.embedding_options
        for column in self._looked_up:
            table = tables.setdefault(column.domain_name, options.table(column, self.dtype_policy))
            width = table.dim if column.domain_name in given else options.width(column)
            if (width, column.cardinality) != (table.dim, table.cardinality):
                raise ValueError(
                    f"Column '{column.name}' shares the domain '{column.domain_name}' with a table of "
                    f"{table.cardinality} x {table.dim}, and wants {column.cardinality} x {width}. Give its columns "
                    "one domain and one width."
                )
        return tables

    def share_tables(self, tables: Mapping[str, Table]) -> None:
        """Look domains up in these tables instead of tables of its own. To be called before the first input.

        Raises:
            ValueError: the encoder is built already, or a table is made in another way than the one it replaces.
        """
        if self.built:
            raise ValueError("The encoder has weights already. Share tables before it is built.")
        for domain in set(tables) & set(self.tables):
            ours, theirs = self.tables[domain], tables[domain]
            if different := ours.differences(theirs):
                raise ValueError(
                    f"The domain '{domain}' has a table here and another to share, which differ in {different}. Give "
                    "its columns the same options, or pass the same table object to both encoders."
                )
            if ours is not theirs and ours.built:
                raise ValueError(
                    f"The table of the domain '{domain}' has values of its own, which sharing would lose. Pass the "
                    "same table object to both encoders."
                )
        # Taken out and put back in their order, on which the order of the weights depends.
        replaced = {domain: tables.get(domain, table) for domain, table in self.tables.items()}
        self.tables.clear()
        self.tables.update(replaced)

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        for table in self.tables.values():
            build_once(table)
        for column in self._columns:
            if column.name in self.encoders:
                build_once(self.encoders[column.name], shape_of(column))
            elif isinstance(combiner := self.combiners.get(column.name), keras.layers.Layer):
                build_once(combiner, (None, None, self.tables[column.domain_name].dim))
        build_chain(self._after(), self._vector_shapes())

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        weights = [column.weights for column in self._looked_up if column.weights]
        wanted = dict.fromkeys([*self.schema.column_names, *weights])
        if missing := [name for name in wanted if name not in inputs]:
            raise ValueError(f"The input lacks the columns {missing} of the schema. It has {sorted(inputs)}.")
        outputs: Any = {column.name: self._encode(column, inputs) for column in self._columns}
        for layer in self._after():
            masked = {"mask": self._present(inputs, outputs)} if isinstance(layer, AttentionFusion) else {}
            outputs = layer(outputs, **masked)
        return outputs

    def _present(self, inputs: dict[str, Tensor], outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Which rows have a feature, `(batch,)` bool, for those of the outputs that can lack: empty lists do."""
        lists = [column.name for column in self._columns if column.kind is Kind.ID_LIST and column.name in outputs]
        return {name: has_values(inputs[name]) for name in lists}

    def _encode(self, column: ColumnSchema, inputs: dict[str, Tensor]) -> Tensor:
        values = inputs[column.name]
        if column.name not in self.encoders and column.kind in LOOKED_UP:
            return self._look_up(column, values, inputs[column.weights] if column.weights else None)
        encoder = self.encoders.get(column.name)
        if column.kind in NUMBERS:
            # Layers that want less exact numbers cast them; those that want exact ones get them.
            values = ops.cast(values, self.compute_dtype if encoder is None else "float32")
            values = ops.expand_dims(values, -1) if column.kind is Kind.DENSE else values
        named = {"column_name": column.name} if isinstance(encoder, OneHotEncoder) else {}
        return values if encoder is None else encoder(values, **named)

    def _look_up(self, column: ColumnSchema, ids: Tensor, weights: Tensor | None) -> Tensor:
        table = self.tables[column.domain_name]
        combiner = self.combiners.get(column.name)
        if isinstance(combiner, keras.layers.Layer):
            rows, mask = table.sequence(ids, column_name=column.name)
            return combiner(rows, mask, None if weights is None else dense_weights(ids, weights))
        return table(ids, weights=weights, combiner=combiner, column_name=column.name)

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Any:
        return chain_output_shape(self._after(), self._vector_shapes())

    def _after(self) -> list[keras.layers.Layer]:
        return [layer for layer in (self.post, self.aggregation) if layer is not None]

    def _vector_shapes(self) -> dict[str, Shape]:
        return {column.name: (None, self._width(column)) for column in self._columns}

    def _width(self, column: ColumnSchema) -> int:
        if column.name in self.encoders:
            return self.encoders[column.name].compute_output_shape(shape_of(column))[-1]
        if column.kind not in LOOKED_UP:
            return column.width or 1
        dim, combiner = self.tables[column.domain_name].dim, self.combiners.get(column.name)
        if isinstance(combiner, keras.layers.Layer):
            return combiner.compute_output_shape((None, None, dim))[-1]
        return dim

    def select_by_name(self, name: str | Sequence[str]) -> "FeatureEncoder | None":
        """An encoder of one column, or of several, that shares the layers of this one; None where there is none."""
        names = {name} if isinstance(name, str) else {*name}
        return self._on(Schema(column for column in self.schema if column.name in names))

    def select_by_tag(self, tags: Any) -> "FeatureEncoder | None":
        """An encoder of the columns with any of these tags that shares the layers of this one; None without such."""
        return self._on(self.schema.select_by_tag(tags))

    def _on(self, schema: Schema) -> "FeatureEncoder | None":
        if not len(schema):
            return None
        schema = with_weights(self.schema, schema.column_names)
        domains = {column.domain_name for column in self._looked_up if column.name in schema}
        return self._with(
            schema=schema,
            encoders={name: layer for name, layer in self.encoders.items() if name in schema},
            combiners={name: combiner for name, combiner in self.combiners.items() if name in schema},
            tables={domain: table for domain, table in self.tables.items() if domain in domains},
            post=self.post and fresh_copy(self.post),
            aggregation=self.aggregation and fresh_copy(self.aggregation),
        )

    def set_post(self, value: LayerLike | None) -> "FeatureEncoder":
        """An encoder with another `post`, that shares the layers of this one."""
        return self._with(post=value)

    def set_aggregation(self, value: str | keras.layers.Layer | None) -> "FeatureEncoder":
        """An encoder with another aggregation, that shares the layers of this one."""
        return self._with(aggregation=value)

    def _with(self, **changes: Any) -> "FeatureEncoder":
        arguments: dict[str, Any] = {
            "schema": self.schema,
            "embedding_options": self.embedding_options,
            "encoders": general(self._general.encoders, self._columns) | self.encoders,
            "combiners": general(self._general.combiners, self._columns) | self.combiners,
            "tables": self.tables,
            "post": self.post,
            "aggregation": self.aggregation,
            "dtype": self.dtype_policy,
        }
        return FeatureEncoder(**(arguments | changes))

    def set_schema(self, schema: Schema) -> "FeatureEncoder":
        """An encoder of other columns, with weights of its own: the same options, and the choices by tag or kind."""
        columns = list(schema)
        return FeatureEncoder(
            schema,
            self.embedding_options,
            general(self._general.encoders, columns),
            general(self._general.combiners, [column for column in columns if column.kind is Kind.ID_LIST]),
            post=self.post and fresh_copy(self.post),
            aggregation=self.aggregation and fresh_copy(self.aggregation),
            dtype=self.dtype_policy,
        )

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self.schema.to_dict(),
            "embedding_options": self.embedding_options.to_dict(),
            "encoders": serialized(general(self._general.encoders, self._columns) | self.encoders),
            "combiners": serialized(general(self._general.combiners, self._columns) | self.combiners),
            "tables": serialized(self.tables),
            "post": serialized(self.post),
            "aggregation": serialized(self.aggregation),
        }

    @classmethod
    def from_config(cls, config: dict) -> "FeatureEncoder":
        options = EmbeddingOptions.from_dict(config["embedding_options"])
        return super().from_config(config | {"embedding_options": options})
