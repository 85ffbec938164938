"""Values that are ready as they are."""

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.preprocessing.transform import Transform
from tfdual.schema import ColumnSchema


class Passthrough(Transform):
    """Cast to float32 and change nothing: for vectors that come from elsewhere."""

    def output(self, column: ColumnSchema) -> ColumnSchema:
        """The column as float32."""
        return ColumnSchema(column.name, column.tags, column.properties, "float32", column.is_list, dims=column.dims)

    def __call__(self, values: Tensor) -> Tensor:
        return tf.cast(values, tf.float32)
