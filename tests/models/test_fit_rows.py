"""What `fit` makes of what it gets."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import tensorflow as tf

import tfdual
from tfdual import ColumnSchema, Schema, Tags
from tfdual.models.fit_rows import fit_rows, with_weights


def tuned(enabled: bool | None) -> tf.data.Dataset:
    options = tf.data.Options()
    if enabled is not None:
        options.autotune.enabled = enabled
    return tf.data.Dataset.range(5).map(lambda i: i + 1, num_parallel_calls=tf.data.AUTOTUNE).with_options(options)


def ahead(enabled: bool | None) -> tf.data.Dataset:
    return fit_rows(tuned(enabled), {})[0]


@pytest.mark.parametrize("enabled", [None, True, False])
def test_batches_are_the_same_and_in_order(enabled: bool | None) -> None:
    assert [int(i) for i in ahead(enabled)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("enabled", [True, False])
def test_tuning_is_as_the_dataset_says(enabled: bool) -> None:
    assert ahead(enabled).options().autotune.enabled is enabled


def test_tuning_is_off_where_the_dataset_does_not_say() -> None:
    assert ahead(None).options().autotune.enabled is False


def test_a_dataset_is_not_shuffled_again_unless_told() -> None:
    assert fit_rows(tuned(None), {"epochs": 2})[1] == {"epochs": 2, "shuffle": False}
    assert fit_rows(tuned(None), {"shuffle": True})[1] == {"shuffle": True}


def test_what_is_no_dataset_stays() -> None:
    arrays = {"item_id": [1, 2]}
    assert fit_rows(arrays, {"epochs": 2}) == (arrays, {"epochs": 2})


def test_weights_of_a_dataset_have_labels_of_no_width_and_other_labels_stay() -> None:
    rows = tf.data.Dataset.from_tensor_slices(({"item": [1, 2, 3]}, [1.0, 2.0, 3.0])).batch(2)

    def method(x: Any, validation_data: Any = None, epochs: int = 1) -> None:
        pass

    nothing, labelled = rows.map(lambda x, w: (x, None, w)), rows.map(lambda x, w: (x, w, w))
    named = with_weights(method, nothing, (), {"validation_data": nothing})
    for given in (named["x"], named["validation_data"]):
        columns, labels, weights = zip(*given.as_numpy_iterator(), strict=True)
        assert [each["item"].tolist() for each in columns] == [[1, 2], [3]]
        assert [each.shape for each in labels] == [(2, 0), (1, 0)]
        assert [each.tolist() for each in weights] == [[1.0, 2.0], [3.0]]
    for given in (rows, labelled, labelled.map(lambda x, y, w: x)):
        assert with_weights(method, given, (), {}) == {"x": given}


@pytest.mark.parametrize("name", ["x", "validation_data"])
def test_rows_that_are_not_batches_yet_are_refused(name: str) -> None:
    rows = tfdual.read(pa.table({"item": [1, 2]}), Schema([ColumnSchema("item", [Tags.ITEM_ID])]))
    given: dict[str, Any] = {"x": tuned(None), "validation_data": None} | {name: rows}
    message = rf"rows of `tfdual.read` as {name}.*{name}=rows.batch\(1_024\).map\(preprocessor\)"
    with pytest.raises(TypeError, match=message):
        fit_rows(given.pop("x"), given)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
@pytest.mark.parametrize("name", ["x", "validation_data"])
def test_a_frame_is_refused_and_the_way_named(name: str, kind: Any) -> None:
    given: dict[str, Any] = {"x": tuned(None), "validation_data": None} | {name: kind({"item": [1, 2]})}
    message = rf"a frame as {name}.*{name}=tfdual.read\(frame, schema\).batch\(1_024\).map\(preprocessor\)"
    with pytest.raises(TypeError, match=message):
        fit_rows(given.pop("x"), given)


@pytest.mark.parametrize(
    "texts",
    [
        np.array([["tea", "milk"], ["a", "b"]], object),
        np.array(["tea", None], object),
        np.array(["tea", "milk"]),
        pd.Series(["tea", "milk"]),
        pd.Series(["tea", None], dtype=object),
    ],
)
def test_a_column_of_objects_is_named(texts: Any) -> None:
    columns = {"user_id": np.array([1, 2]), "title": texts}
    message = "The column 'title' of {} holds Python objects or texts, .*tf.constant"
    with pytest.raises(TypeError, match=message.format("x")):
        fit_rows(columns, {})
    with pytest.raises(TypeError, match=message.format("validation_data")):
        fit_rows(tuned(None), {"validation_data": (columns, np.ones(2))})


@pytest.mark.parametrize(
    "values",
    [
        np.array(["tea", "milk"], object),
        np.array([1.0, 2.0]),
        pd.Series([1, 2]),
        tf.constant(["tea", "milk"]),
        tf.ragged.constant([["tea"], []]),
    ],
)
def test_columns_that_keras_reads_stay(values: Any) -> None:
    columns = {"item": values}
    assert fit_rows(columns, {})[0] is columns
