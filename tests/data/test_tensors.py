"""What tensors rows become."""

import tensorflow as tf

from tfdual import ColumnSchema, Schema
from tfdual.data.tensors import signature


def test_the_signature_has_a_pair_for_ragged_lists_and_a_width_for_vectors() -> None:
    columns = [
        ColumnSchema("id", dtype="int32"),
        ColumnSchema("words", dtype="string", is_list=True),
        ColumnSchema("vector", dtype="float64", dims=(None, 3)),
    ]
    assert signature(Schema(columns)) == {
        "id": tf.TensorSpec([None], tf.int32),
        "words": (tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.int64)),
        "vector": tf.TensorSpec([None, 3], tf.float64),
    }
