"""Vectors as they are."""

import numpy as np
import tensorflow as tf

from tfdual.preprocessing import Passthrough
from tfdual.schema import ColumnSchema, Kind


def test_vectors_become_float32_and_nothing_else() -> None:
    values = np.array([[0.25, -3.0]], np.float64)
    ready = Passthrough()(ColumnSchema("v", dtype="float64", dims=(None, 2)), tf.constant(values))
    assert ready.dtype == tf.float32
    np.testing.assert_array_equal(ready, values)


def test_the_model_ready_column_is_still_an_embedding() -> None:
    fixed = Passthrough().output(ColumnSchema("v", ["item"], dtype="float64", dims=(None, 3)))
    assert (fixed.kind, fixed.width, fixed.dtype, fixed.tags) == (Kind.EMBEDDING, 3, "float32", {"item"})
    ragged = Passthrough().output(ColumnSchema("v", dtype="float64", is_list=True))
    assert (ragged.kind, ragged.width) == (Kind.EMBEDDING, None)


def test_a_text_stays_the_text_that_it_is() -> None:
    column = ColumnSchema("title", ["item", "text"], dtype="string")
    texts = tf.constant(["Tea, thé", "", "\u00a0 milk"])
    assert Passthrough().output(column) == column
    np.testing.assert_array_equal(Passthrough()(column, texts), texts)
