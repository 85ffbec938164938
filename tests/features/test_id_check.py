import runpy
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdual import _debug
from tfdual._debug import is_debug, set_debug
from tfdual.features import EmbeddingTable, HashedTable, OneHotEncoder, QuotientRemainderTable
from tfdual.features.id_check import check_ids

GOOD, BAD = tf.ragged.constant([[1, 0], [], [4]], dtype=tf.int64), tf.ragged.constant([[1], [], [4, 7]], dtype=tf.int64)
MESSAGE = r"(?s)Column \\?'liked\\?' holds ids outside its table of 5 rows, 0 .. 4.*\[7\]"


@pytest.fixture
def debug() -> Iterator[None]:
    before = is_debug()
    set_debug(True)
    yield
    set_debug(before)


@pytest.mark.parametrize("ids", [BAD, BAD.to_tensor(), tf.constant([7, 1]), tf.constant([[7]], tf.int32)])
@pytest.mark.usefixtures("debug")
def test_id_outside_is_named_with_its_column_and_the_tables_size(ids: Any) -> None:
    with pytest.raises(ValueError, match=MESSAGE):
        check_ids(ids, 5, "liked")
    with pytest.raises(tf.errors.InvalidArgumentError, match=MESSAGE):
        tf.function(lambda ids: check_ids(ids, 5, "liked"))(ids)


@pytest.mark.usefixtures("debug")
def test_ids_inside_pass() -> None:
    for ids in (GOOD, GOOD.to_tensor(), GOOD[:0]):
        check_ids(ids, 5, "liked")
        tf.function(lambda ids: check_ids(ids, 5, "liked"))(ids)


@pytest.mark.usefixtures("debug")
def test_negative_id_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[-1\]"):
        check_ids(tf.constant([3, -1]), 5, "liked")


@pytest.mark.usefixtures("debug")
def test_five_of_many_ids_are_shown() -> None:
    with pytest.raises(ValueError, match=r": \[5, 6, 7, 8, 9\]$"):
        check_ids(tf.range(100), 5, "liked")


def test_nothing_is_checked_without_debug_mode() -> None:
    assert not is_debug()
    check_ids(BAD, 5, "liked")
    assert tf.function(EmbeddingTable(5, 2))(BAD).shape == (3, 2)


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize(
    "layer",
    [EmbeddingTable(5, 2), QuotientRemainderTable(5, 2), HashedTable(5, 2, 3), OneHotEncoder(5)],
    ids=lambda layer: layer.name,
)
def test_table_names_the_column_or_itself(layer: Any) -> None:
    with pytest.raises(ValueError, match=MESSAGE):
        layer(BAD, column_name="liked")
    with pytest.raises(ValueError, match=f"Column '{layer.name}' holds ids outside its table of 5 rows"):
        layer(BAD)
    layer(GOOD)


@pytest.mark.usefixtures("debug")
def test_sequence_is_checked_too() -> None:
    with pytest.raises(ValueError, match=MESSAGE):
        EmbeddingTable(5, 2).sequence(BAD, max_length=1, column_name="liked")


@pytest.mark.usefixtures("debug")
def test_fit_stops_at_an_id_outside() -> None:
    model = keras.Sequential(
        [keras.Input((2,), dtype="int64"), EmbeddingTable(5, 2, name="likes_table"), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    ids = np.array([[1, 4], [2, 0]])
    model.fit(ids, np.zeros((2, 1)), verbose=0)
    ids[1, 1] = 7
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)'likes_table\\?' holds ids outside .*\[7\]"):
        model.fit(ids, np.zeros((2, 1)), verbose=0)


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("0", False), ("", False)])
def test_environment_variable_sets_the_start(value: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDUAL_DEBUG", value)
    assert runpy.run_path(_debug.__file__)["is_debug"]() is wanted
