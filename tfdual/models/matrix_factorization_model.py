"""Matrix factorisation."""

from typing import Any

from tfdual._build import build_once
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features import EmbeddingTable
from tfdual.features.initializers import Initializer, check_initializer, initializer_config, initializer_from
from tfdual.models.dual_encoder import DualEncoder
from tfdual.models.id_column import id_column
from tfdual.models.item_bias import bias_table, with_bias, with_one
from tfdual.models.side import Side
from tfdual.schema import Schema, Tags


@register
class MatrixFactorizationModel(DualEncoder):
    """A row of a table for each query id, and one for each item id; with a bias of the item, where wanted.

    `score = query_row . item_row + item_bias`

    BPR is `MatrixFactorizationModel(schema, loss=tfdual.losses.bpr,
    negatives=tfdual.negatives.Uniform(1024).adapt(items))`.

    Args:
        schema: Schema. Model-ready columns, one tagged `USER_ID` and one tagged `ITEM_ID`.
        dim: int. Width of a row. Defaults to 64.
        item_bias: bool. The embeddings are wider by 1 then. Defaults to `False`.
        initializer: a Keras initialiser of the rows, by name or object. Defaults to `"uniform"`, from -0.05 to 0.05.
        l2: float. Adds `l2 * mean(sum(row ** 2))` to the loss: the mean over the queries of a batch, and that over its
            distinct items; with `parts`, over those of each part. Defaults to 0.
        options: how it trains, see `ContrastiveObjective` and `DualEncoder`. The `temperature` defaults to 1: the rows
            have any length.

    Input: dict of column name -> int ids `(batch,)`.
    Output: `{"query": (batch, dim), "item": (batch, dim)}`.

    Raises:
        ValueError: not one column with each tag, or one without a known range; a width below 1, a negative `l2`; and
            what the options refuse.

    Example:
        >>> from keras import ops
        >>> from tfdual import ColumnSchema
        >>> user = ColumnSchema("user", [Tags.USER_ID], {"domain": {"max": 9}})
        >>> item = ColumnSchema("item", [Tags.ITEM_ID], {"domain": {"max": 99}})
        >>> model = MatrixFactorizationModel(Schema([user, item]), dim=8, item_bias=True)
        >>> tuple(model.encode_query({"user": ops.convert_to_tensor([3, 4])}).shape)
        (2, 9)

    Reference: Koren et al., 2009, "Matrix factorization techniques for recommender systems"
    """

    def __init__(
        self,
        schema: Schema,
        dim: int = 64,
        item_bias: bool = False,
        initializer: Initializer = "uniform",
        l2: float = 0.0,
        **options: Any,
    ) -> None:
        query_id, queries = id_column(schema, Tags.USER_ID)
        item_id, items = id_column(schema, Tags.ITEM_ID, options.pop("item_id", None))
        if options.get("temperature") is None:
            options["temperature"] = 1.0
        check_initializer(initializer)
        super().__init__(item_id, **options)
        self.query_id = query_id
        self.dim = dim
        self.item_bias = item_bias
        self.initializer = initializer
        self.l2 = l2
        self._schema = schema.select_by_name([query_id, item_id])
        rows = {"initializer": initializer, "l2": l2, "dtype": self.dtype_policy}
        self.query_table = EmbeddingTable(queries, dim, **rows, name="query")
        self.item_table = EmbeddingTable(items, dim, **rows, name="item")
        self.biases = bias_table(items, self.dtype_policy) if item_bias else None

    def build(self, input_shape: dict[str, Shape] | None = None) -> None:
        for table in (self.query_table, self.item_table, self.biases):
            if table is not None:
                build_once(table)
        self.build_training(self.dim + self.item_bias)

    def encode_query(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The query's row, and a 1 to multiply the bias by: `(batch, dim)`."""
        rows = self.query_table(inputs[self.query_id])
        return rows if self.biases is None else with_one(rows)

    def encode_item(self, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """The item's row and bias: `(batch, dim)`."""
        ids = inputs[self.item_id]
        rows = self.item_table(ids)
        return rows if self.biases is None else with_bias(rows, self.biases(ids))

    @property
    def query_side(self) -> Side:
        """The table of queries."""
        return Side([self.query_id], [self.query_table])

    @property
    def item_side(self) -> Side:
        """The table of items, and their biases."""
        return Side([self.item_id], [self.item_table, self.biases])

    def get_config(self) -> dict:
        return super().get_config() | {
            "schema": self._schema.to_dict(),
            "dim": self.dim,
            "item_bias": self.item_bias,
            "initializer": initializer_config(self.initializer),
            "l2": self.l2,
        }

    @classmethod
    def from_config(cls, config: dict) -> "MatrixFactorizationModel":
        made = {"schema": Schema.from_dict(config["schema"]), "initializer": initializer_from(config["initializer"])}
        return super().from_config(config | made)
