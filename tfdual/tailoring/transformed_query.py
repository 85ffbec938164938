"""A query's vector, transformed by the weights of its key."""

from typing import Any

from tfdual._build import build_once, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks import Block
from tfdual.schema import ColumnSchema, Kind, Schema
from tfdual.tailoring.query_transform import QueryTransform


@register
class TransformedQuery(Block):
    """What a block makes of a query's columns, transformed by the weights of the query's segment or user.

    Without keys there is no need of it: `InputBlock(schema, aggregation="concat") >> LinearTransform()`.

    Args:
        query: block from columns to a vector, e.g. `InputBlock(schema, aggregation="concat")`.
        transform: QueryTransform with `keys`.
        key: ColumnSchema of the key, model-ready ids below `keys`; 0 is every unknown key.

    Input: dict of column name -> tensor.
    Output: `(batch, dim)`.

    Raises:
        ValueError: the block reads no columns, or the key among them; the key isn't one id a query; the transform has
            no keys, or fewer than the column.

    Example:
        >>> from keras import ops
        >>> from tfdual import InputBlock, Tags
        >>> from tfdual.tailoring import ScaleTransform
        >>> vector = ColumnSchema("vector", dtype="float32", is_list=True, dims=(None, 2))
        >>> key = ColumnSchema("segment", [Tags.CATEGORICAL], {"domain": {"min": 0, "max": 4}})
        >>> block = TransformedQuery(InputBlock(Schema([vector]), aggregation="concat"), ScaleTransform(keys=5), key)
        >>> block({"vector": ops.ones((1, 2)), "segment": ops.array([3])}).numpy().tolist()  # not trained yet
        [[1.0, 1.0]]
    """

    def __init__(self, query: Block, transform: QueryTransform, key: ColumnSchema, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if not isinstance(query, Block) or query.schema is None:
            raise ValueError(f"The query is a block that reads columns, as InputBlock(schema) is. Received {query!r}.")
        if key.name in query.schema:
            raise ValueError(f"The query reads the key '{key.name}' itself. Leave it out of one of them.")
        if key.kind is not Kind.CATEGORICAL or key.cardinality is None:
            raise ValueError(
                f"The key '{key.name}' is one id a query, with a known range: tag it CATEGORICAL, and take the schema "
                f"of a `Preprocessor`. It is {key.kind} with {key.cardinality or 'no known number of'} ids."
            )
        if transform.keys is None or transform.keys < key.cardinality:
            raise ValueError(
                f"The column '{key.name}' has {key.cardinality} ids, the transform weights for {transform.keys}. Pass "
                f"keys={key.cardinality} to {type(transform).__name__}."
            )
        self.query = query
        self.transform = transform
        self.key = key

    @property
    def schema(self) -> Schema:
        """The columns of the query, and the key."""
        return (self.query.schema or Schema()) + Schema([self.key])

    def input_blocks(self) -> list[Block]:
        """Those of the query, and this block, which reads the key."""
        return [*self.query.input_blocks(), self]

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        build_once(self.query, input_shape)
        build_once(self.transform, self.query.compute_output_shape(input_shape))

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        return self.transform(self.query(inputs), inputs[self.key.name])

    def compute_output_shape(self, input_shape: dict[str, Shape]) -> Shape:
        return self.query.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        return super().get_config() | {
            "query": serialized(self.query),
            "transform": serialized(self.transform),
            "key": Schema([self.key]).to_dict(),
        }

    @classmethod
    def from_config(cls, config: dict) -> "TransformedQuery":
        (key,) = Schema.from_dict(config["key"])
        return super().from_config(config | {"key": key})
