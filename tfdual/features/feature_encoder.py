"""Model-ready columns to vectors."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.embedding_options import EmbeddingOptions
from tfdual.features.embedding_table import EmbeddingTable
from tfdual.schema import ColumnSchema, Kind, Schema


@register
class FeatureEncoder(keras.layers.Layer):
    """Turn each column of a schema into a vector, by its kind.

    Categorical ids and id lists are looked up in embedding tables, one a domain; dense columns become vectors of
    width 1; vectors pass unchanged.

    Args:
        schema: Schema. Model-ready columns, such as `Preprocessor.schema` gives.
        embedding_options: EmbeddingOptions. Defaults to `EmbeddingOptions()`.

    Input: dict of column name -> tensor; columns of no schema are left out.
    Output: dict of column name -> `(batch, width)`.

    Raises:
        ValueError: no column, a categorical column of unknown cardinality, raw text, columns that share a table but
            not its width, a column missing from the input.

    Example:
        >>> from tfdual.schema import Tags
        >>> column = ColumnSchema("genre", [Tags.CATEGORICAL], {"domain": {"name": "genre", "min": 0, "max": 20}})
        >>> tuple(FeatureEncoder(Schema([column]))({"genre": ops.convert_to_tensor([3, 4])})["genre"].shape)
        (2, 64)
    """

    def __init__(self, schema: Schema, embedding_options: EmbeddingOptions | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not len(schema):
            raise ValueError("FeatureEncoder needs at least one column. Received an empty schema.")
        for column in schema:
            _check(column)
        self.schema = schema
        self.embedding_options = embedding_options or EmbeddingOptions()
        self.tables = self._make_tables()

    def _make_tables(self) -> dict[str, EmbeddingTable]:
        tables: dict[str, EmbeddingTable] = {}
        for column in filter(_looked_up, self.schema):
            table = tables.setdefault(column.domain_name, self._table(column))
            if (self.embedding_options.width(column), column.cardinality) != (table.dim, table.cardinality):
                raise ValueError(
                    f"Column '{column.name}' shares the domain '{column.domain_name}' with a table of "
                    f"{table.cardinality} x {table.dim}. Give its columns one domain and one width."
                )
        return tables

    def _table(self, column: ColumnSchema) -> EmbeddingTable:
        options = self.embedding_options
        return EmbeddingTable(
            column.cardinality or 1,
            options.width(column),
            options.combiner,
            options.embeddings_initializer,
            name=f"{column.domain_name}_table",
            dtype=self.dtype_policy,
        )

    def share_tables(self, tables: Mapping[str, EmbeddingTable]) -> None:
        """Look domains up in these tables instead of tables of its own. To be called before the first input.

        Raises:
            ValueError: the encoder is built already, or a table's size is not the domain's.
        """
        if self.built:
            raise ValueError("The encoder has weights already. Share tables before it is built.")
        for domain in set(tables) & set(self.tables):
            ours, theirs = self.tables[domain], tables[domain]
            if (ours.cardinality, ours.dim) != (theirs.cardinality, theirs.dim):
                raise ValueError(
                    f"The domain '{domain}' has {ours.cardinality} x {ours.dim} here and {theirs.cardinality} x "
                    f"{theirs.dim} in the table to share. Give its columns one domain and one width."
                )
            self.tables[domain] = theirs

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        for table in self.tables.values():
            build_once(table)

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        if missing := [name for name in self.schema.column_names if name not in inputs]:
            raise ValueError(f"The input lacks the columns {missing} of the schema. It has {sorted(inputs)}.")
        return {column.name: self._encode(column, inputs[column.name]) for column in self.schema}

    def _encode(self, column: ColumnSchema, values: Tensor) -> Tensor:
        if _looked_up(column):
            return self.tables[column.domain_name](values)
        values = ops.cast(values, self.compute_dtype)
        return ops.expand_dims(values, -1) if column.kind is Kind.DENSE else values

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> dict[str, Shape]:
        return {column.name: (None, self._width(column)) for column in self.schema}

    def _width(self, column: ColumnSchema) -> int:
        if _looked_up(column):
            return self.tables[column.domain_name].dim
        return column.width or 1

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self.schema.to_dict(),
            "embedding_options": self.embedding_options.to_dict(),
        }

    @classmethod
    def from_config(cls, config: dict) -> "FeatureEncoder":
        config = dict(config)
        schema = Schema.from_dict(config.pop("schema"))
        return cls(schema, EmbeddingOptions(**config.pop("embedding_options")), **config)


def _looked_up(column: ColumnSchema) -> bool:
    return column.kind in (Kind.CATEGORICAL, Kind.ID_LIST)


def _check(column: ColumnSchema) -> None:
    if column.kind is Kind.STRING or column.dtype == "string":
        raise ValueError(f"Column '{column.name}' holds raw strings. Map it with a `Preprocessor`, and use its schema.")
    if _looked_up(column) and column.cardinality is None:
        raise ValueError(
            f"Column '{column.name}' is {column.kind} and its number of ids is not known. Use `Preprocessor.schema`, "
            'or set properties={"domain": {"name": ..., "min": 0, "max": ...}}.'
        )
    if column.kind is Kind.EMBEDDING and column.width is None:
        raise ValueError(f"Column '{column.name}' holds vectors of unknown width. Set dims=(None, width).")
