"""How embedding tables are made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfdual._layer_name import layer_name
from tfdual.features.embedding_table import EmbeddingTable
from tfdual.features.initializers import Initializer, check_initializer, initializer_config, initializer_from
from tfdual.features.list_pooling import COMBINERS
from tfdual.fusion.unshared import unshared
from tfdual.schema import ColumnSchema, Schema

DEFAULT_INITIALIZER = "uniform"


@dataclass(frozen=True)
class EmbeddingOptions:
    """Widths, initial values, regularisation and pooling of embedding tables.

    Args:
        embedding_dims: mapping of column or domain name -> width. `None` is none. Defaults to none.
        embedding_dim_default: int. Width of every other table. Defaults to 64.
        infer_embedding_sizes: bool. Width from the cardinality instead of the default:
            `ceil(cardinality ** 0.25 * multiplier)`. Defaults to `False`.
        infer_embedding_sizes_multiplier: float. Defaults to 2.
        infer_embeddings_ensure_dim_multiple_of_8: bool. Round inferred widths up to a multiple of 8. Defaults
            to `False`.
        embeddings_initializers: a Keras initialiser, by name or object, or a mapping of column or domain name -> one;
            tables that it doesn't name, and all where it is `None`, get `"uniform"`: in [-0.05, 0.05]. Tables share
            no values, unless the object has a seed of its own. Defaults to `"uniform"`.
        embeddings_l2_reg: float. Each column adds this times the mean over the batch of the sum of squares of the
            rows that were looked up to the loss. Defaults to 0.
        combiner: str. How a list becomes one vector: `"mean"`, `"sum"`, `"sqrtn"`, `"max"`. Defaults to `"mean"`.

    Raises:
        ValueError: a width below 1, a multiplier that isn't above 0, a negative L2, an unknown combiner, a name of
            no Keras initialiser.
        TypeError: an initialiser of another type.

    Example:
        >>> EmbeddingOptions({"genre": 8}, combiner="sum").to_dict()["embedding_dims"]
        {'genre': 8}

    Reference: NVIDIA Merlin Models, `EmbeddingOptions`
    """

    embedding_dims: Mapping[str, int] | None = field(default_factory=dict)
    embedding_dim_default: int = 64
    infer_embedding_sizes: bool = False
    infer_embedding_sizes_multiplier: float = 2.0
    infer_embeddings_ensure_dim_multiple_of_8: bool = False
    embeddings_initializers: Initializer | Mapping[str, Initializer] | None = DEFAULT_INITIALIZER
    embeddings_l2_reg: float = 0.0
    combiner: str = "mean"

    def __post_init__(self) -> None:
        if min([self.embedding_dim_default, *(self.embedding_dims or {}).values()]) < 1:
            raise ValueError(f"Embedding widths are at least 1. Received {self}.")
        if not 0 < self.infer_embedding_sizes_multiplier < math.inf:
            raise ValueError(
                f"infer_embedding_sizes_multiplier is above 0. Received {self.infer_embedding_sizes_multiplier}."
            )
        if not 0 <= self.embeddings_l2_reg < math.inf:
            raise ValueError(f"embeddings_l2_reg is 0 or more. Received {self.embeddings_l2_reg}.")
        if self.combiner not in COMBINERS:
            raise ValueError(f"combiner is one of {COMBINERS}. Received {self.combiner!r}.")
        found = self.embeddings_initializers
        for initializer in found.values() if isinstance(found, Mapping) else [found]:
            if initializer is not None:
                check_initializer(initializer)

    def width(self, column: ColumnSchema) -> int:
        """The width of the table of `column`, whose cardinality is known."""
        if (named := _of(column, self.embedding_dims or {})) is not None:
            return named
        if not self.infer_embedding_sizes:
            return self.embedding_dim_default
        width = math.ceil((column.cardinality or 1) ** 0.25 * self.infer_embedding_sizes_multiplier)
        return math.ceil(width / 8) * 8 if self.infer_embeddings_ensure_dim_multiple_of_8 else width

    def initializer(self, column: ColumnSchema) -> Initializer:
        """The initialiser of the table of `column`; of an object, a copy, which draws values of its own."""
        found = self.embeddings_initializers
        if isinstance(found, Mapping):
            found = _of(column, found)
        if found is None:
            return DEFAULT_INITIALIZER
        return unshared(found)

    def table(self, column: ColumnSchema, dtype: Any = None) -> EmbeddingTable:
        """A new table of the domain of `column`.

        Args:
            column: ColumnSchema. Of known cardinality.
            dtype: Keras dtype policy, or its name. Defaults to `None`: the global one.
        """
        return EmbeddingTable(
            column.cardinality or 1,
            self.width(column),
            self.combiner,
            self.initializer(column),
            self.embeddings_l2_reg,
            name=f"{layer_name(column.domain_name)}_table",
            dtype=dtype,
        )

    def check_names(self, schema: Schema) -> None:
        """Refuse widths and initialisers for what the schema doesn't have.

        Raises:
            ValueError: a name that is no column and no domain.
        """
        named = self.embeddings_initializers if isinstance(self.embeddings_initializers, Mapping) else {}
        known = {name for column in schema for name in (column.name, column.domain_name)}
        if unknown := sorted({*(self.embedding_dims or {}), *named} - known):
            raise ValueError(
                f"EmbeddingOptions names {unknown}, which is no column and no domain of the schema. It has "
                f"{sorted(known)}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` reads them."""
        dims, initializers = self.embedding_dims, self.embeddings_initializers
        config: Any
        if isinstance(initializers, Mapping):
            config = {"by_name": {name: initializer_config(value) for name, value in initializers.items()}}
        else:
            config = None if initializers is None else initializer_config(initializers)
        return vars(self) | {
            "embedding_dims": None if dims is None else {name: int(width) for name, width in dims.items()},
            "embeddings_initializers": config,
        }

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> "EmbeddingOptions":
        """The options that `to_dict` wrote."""
        config = dict(config)
        initializers: Any = config.get("embeddings_initializers", DEFAULT_INITIALIZER)
        if isinstance(initializers, Mapping) and "by_name" in initializers:
            initializers = {name: initializer_from(value) for name, value in initializers["by_name"].items()}
        elif initializers is not None:
            initializers = initializer_from(initializers)
        return cls(**config | {"embeddings_initializers": initializers})


def _of(column: ColumnSchema, by_name: Mapping[str, Any]) -> Any:
    """The value of the column's own name, else of its domain's; None where there is neither."""
    return by_name.get(column.name, by_name.get(column.domain_name))
