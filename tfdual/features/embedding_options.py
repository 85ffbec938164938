"""How embedding tables are made."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tfdual.schema import ColumnSchema

COMBINERS = ("mean", "sum", "sqrtn")


@dataclass(frozen=True)
class EmbeddingOptions:
    """Widths, initial values and pooling of embedding tables.

    Args:
        embedding_dims: mapping of column or domain name -> width. Defaults to none.
        embedding_dim_default: int. Width of every other table. Defaults to 64.
        infer_embedding_sizes: bool. Width from the cardinality instead of the default:
            `ceil(cardinality ** 0.25 * multiplier)`. Defaults to `False`.
        infer_embedding_sizes_multiplier: float. Defaults to 2.
        embeddings_initializers: str. A Keras initialiser. Defaults to `"uniform"`: in [-0.05, 0.05].
        combiner: str. How a list becomes one vector: `"mean"`, `"sum"`, `"sqrtn"`. Defaults to `"mean"`.

    Raises:
        ValueError: a width below 1, or an unknown combiner.

    Reference: NVIDIA Merlin Models, `EmbeddingOptions`
    """

    embedding_dims: Mapping[str, int] = field(default_factory=dict)
    embedding_dim_default: int = 64
    infer_embedding_sizes: bool = False
    infer_embedding_sizes_multiplier: float = 2.0
    embeddings_initializers: str = "uniform"
    combiner: str = "mean"
    embeddings_l2_reg: float = 0.0

    def __post_init__(self) -> None:
        if min([self.embedding_dim_default, *self.embedding_dims.values()]) < 1:
            raise ValueError(f"Embedding widths are at least 1. Received {self}.")
        if self.combiner not in COMBINERS:
            raise ValueError(f"combiner is one of {COMBINERS}. Received {self.combiner!r}.")

    def width(self, column: ColumnSchema) -> int:
        """The width of the table of `column`, whose cardinality is known."""
        for name in (column.name, column.domain_name):
            if name in self.embedding_dims:
                return self.embedding_dims[name]
        if self.infer_embedding_sizes:
            return math.ceil((column.cardinality or 1) ** 0.25 * self.infer_embedding_sizes_multiplier)
        return self.embedding_dim_default

    def to_dict(self) -> dict:
        """Plain JSON types; `EmbeddingOptions(**d)` reads them."""
        return asdict(self)

    def initializer(self, column):
        return self.embeddings_initializers

    @classmethod
    def from_dict(cls, d):
        return cls(**d)
