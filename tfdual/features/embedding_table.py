"""Ids to rows of a trained table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfdual._backend import take_rows
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.features.initializers import Initializer
from tfdual.features.pretrained import pretrained_rows
from tfdual.features.table import Table


@register
class EmbeddingTable(Table):
    """A trained row for each id; pooled where a list has several.

    An id outside `0 .. cardinality - 1` gets row 0, the unknown row. An empty list gives zeros. Rows are looked up and
    pooled in float32. With weights `w` of the rows `x` of a list, `"mean"` is `sum(w x) / sum(w)`, `"sum"` is
    `sum(w x)`, `"sqrtn"` is `sum(w x) / sqrt(sum(w ** 2))`; without them, every `w` is 1; where it would divide by 0,
    it gives zeros. `"max"` takes no weights.

    Args:
        cardinality: int. Rows of the table.
        dim: int. Width of a row.
        combiner: str. `"mean"`, `"sum"`, `"sqrtn"` or `"max"`. Defaults to `"mean"`.
        initializer: a Keras initialiser, by name or object. Defaults to `"uniform"`.
        l2: float. Each call adds the loss `l2 * sum(rows ** 2) / batch` of the rows looked up. Defaults to 0: no loss.

    Input: int ids, `(batch,)`, or ragged `(batch, None)`, or `(batch, length)` padded with 0; `weights` of that shape.
    Output: `(batch, dim)`.

    Raises:
        ValueError: a size below 1, an unknown combiner or initialiser, a negative `l2`; weights that don't fit the ids.
        TypeError: ids that are no integers.

    Example:
        >>> table = EmbeddingTable(cardinality=10, dim=4)
        >>> tuple(table(np.array([3, 7])).shape)
        (2, 4)
    """

    def __init__(
        self,
        cardinality: int,
        dim: int,
        combiner: str = "mean",
        initializer: Initializer = "uniform",
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(cardinality, dim, combiner, initializer, l2, **kwargs)

    def build(self, input_shape: Shape | None = None) -> None:
        self.embeddings = self.add_weight(
            (self.cardinality, self.dim),
            initializer=self.initializer,
            dtype="float32",
            autocast=False,
            name="embeddings",
        )

    def _look_up(self, ids: Tensor) -> Tensor:
        return take_rows(self.embeddings, ids)

    @classmethod
    def from_pretrained(
        cls,
        data: Any,
        ids: Sequence | np.ndarray | None = None,
        cardinality: int | None = None,
        id_column: str = "id",
        vector_column: str = "embedding",
        trainable: bool = True,
        **kwargs: Any,
    ) -> "EmbeddingTable":
        """A table that starts from vectors made elsewhere, such as `to_parquet` writes.

        Row 0, of unknown ids, gets the data's vector of id 0 or, with `ids`, its vector without an id; zeros where
        there is none. Rows of which the data has no vector get what row 0 gets.

        Args:
            data: a NumPy matrix, whose row i is of id i; or a pandas or polars frame, a pyarrow table or the path of a
                Parquet file, with a column of ids and a column of lists of numbers.
            ids: the raw values that the table's last rows stand for, e.g. `preprocessor.vocabulary("item_id")`, where
                the data's ids are raw values. Vectors of other values are left out. Defaults to `None`: the data's
                ids are the table's.
            cardinality: int. Rows of the table. Defaults to one more than the highest id, or the number of `ids`.
            id_column: str. Defaults to `"id"`.
            vector_column: str. Defaults to `"embedding"`.
            trainable: bool. `False` freezes the table. Defaults to `True`.
            **kwargs: other arguments of the table.

        Raises:
            ValueError: vectors of differing width, NaN, an id twice or outside the table, none of the `ids` there.
            TypeError: data of another type.

        Example:
            >>> EmbeddingTable.from_pretrained(np.ones((5, 3))).cardinality
            5
        """
        values = pretrained_rows(data, ids, cardinality, id_column, vector_column)
        table = cls(*values.shape, trainable=trainable, **{"initializer": "zeros"} | kwargs)
        table.build()
        table.embeddings.assign(values)
        return table
