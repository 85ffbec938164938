"""Two preprocessors have one fingerprint where they do the same to the columns."""

from pathlib import Path

import pyarrow as pa
import pytest

import tfdual
from tfdual import ColumnSchema, Preprocessor, Schema, Tags

SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("item", [Tags.ITEM_ID], dtype="string"),
        ColumnSchema("price", [Tags.ITEM], dtype="float32"),
    ]
)
ROWS = pa.table({"user": ["a", "b", "a"], "item": ["x", "é", ""], "price": pa.array([1.0, 2.0, 4.0], pa.float32())})


def fitted(table: pa.Table = ROWS) -> Preprocessor:
    return Preprocessor(SCHEMA).adapt(tfdual.read(table, SCHEMA))


def test_it_is_of_the_columns_alone_that_are_named() -> None:
    other_users = ROWS.set_column(0, "user", pa.array(["c", "b", "d"]))
    assert fitted().fingerprint(["item", "price"]) == fitted(other_users).fingerprint(["price", "item"])
    assert fitted().fingerprint(["user"]) != fitted(other_users).fingerprint(["user"])


@pytest.mark.parametrize("column, values", [("item", ["x", "e", ""]), ("price", [1.0, 2.0, 5.0])])
def test_it_is_another_where_something_else_was_learned(column: str, values: list) -> None:
    place = ROWS.column_names.index(column)
    other = ROWS.set_column(place, column, pa.array(values, ROWS.schema.field(column).type))
    assert fitted(other).fingerprint([column]) != fitted().fingerprint([column])


def test_it_stays_when_the_preprocessor_is_saved_and_loaded(tmp_path: Path) -> None:
    fitted().save(tmp_path / "prep")
    assert Preprocessor.load(tmp_path / "prep").fingerprint(["user", "item", "price"]) == fitted().fingerprint(
        ["user", "item", "price"]
    )


def test_before_adapt_there_is_none() -> None:
    with pytest.raises(ValueError, match="Call `adapt"):
        Preprocessor(SCHEMA).fingerprint(["item"])


def test_raw_columns_are_those_that_ready_ones_are_made_of() -> None:
    prep = fitted()
    assert prep.raw_columns(["item", "item_log_probability", "nothing"]).column_names == ["item"]
    assert prep.raw_columns(prep.schema.column_names).column_names == SCHEMA.column_names
