"""What a source may hold in place of a schema's column."""

from typing import Any

import pyarrow as pa
import pytest

from tfdual.data.arrow_types import arrow_schema, check_columns, check_schema, fits
from tfdual.schema import ColumnSchema, Schema, Tags


def column(**arguments: Any) -> ColumnSchema:
    return ColumnSchema("x", **arguments)


def test_a_schema_names_the_arrow_types_of_its_rows() -> None:
    schema = Schema(
        [
            ColumnSchema("id"),
            ColumnSchema("text", dtype="string"),
            ColumnSchema("ids", dtype="int32", is_list=True),
            ColumnSchema("vector", dtype="float32", dims=(None, 3)),
        ]
    )
    assert arrow_schema(schema) == pa.schema(
        {"id": pa.int64(), "text": pa.string(), "ids": pa.list_(pa.int32()), "vector": pa.list_(pa.float32(), 3)}
    )


@pytest.mark.parametrize(
    "found, wanted",
    [
        (pa.string(), {"dtype": "int64"}),
        (pa.float64(), {"dtype": "int64"}),
        (pa.bool_(), {"dtype": "int64"}),
        (pa.int64(), {"dtype": "string"}),
        (pa.timestamp("s"), {"dtype": "string"}),
        (pa.int64(), {"dtype": "bool"}),
        (pa.string(), {"dtype": "float32"}),
        (pa.time32("s"), {"dtype": "int64"}),
        (pa.month_day_nano_interval(), {"dtype": "int64"}),
        (pa.list_(pa.int64()), {"dtype": "int64"}),
        (pa.int64(), {"is_list": True}),
        (pa.string(), {"is_list": True}),
        (pa.list_(pa.string()), {"is_list": True}),
        (pa.float32(), {"dtype": "float32", "dims": (None, 2)}),
        (pa.struct([("a", pa.int64())]), {"dtype": "int64"}),
    ],
)
def test_a_type_that_does_not_fit_is_named(found: pa.DataType, wanted: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"Column 'x' of f\.parquet has the type .*; the schema wants"):
        check_columns(pa.schema([("x", found)]), Schema([column(**wanted)]), "f.parquet")


@pytest.mark.parametrize(
    "found, wanted",
    [
        (pa.uint64(), {"dtype": "int32"}),
        (pa.timestamp("ns", "UTC"), {"dtype": "int64"}),
        (pa.date32(), {"dtype": "int32"}),
        (pa.duration("us"), {"dtype": "float64"}),
        (pa.decimal128(10, 2), {"dtype": "int64"}),
        (pa.bool_(), {"dtype": "float32"}),
        (pa.float16(), {"dtype": "float32"}),
        (pa.null(), {"dtype": "string"}),
        (pa.string_view(), {"dtype": "string"}),
        (pa.binary_view(), {"dtype": "string"}),
        (pa.binary(8), {"dtype": "string"}),
        (pa.dictionary(pa.int8(), pa.large_string()), {"dtype": "string"}),
        (pa.list_(pa.dictionary(pa.int8(), pa.string())), {"dtype": "string", "is_list": True}),
        (pa.list_view(pa.int32()), {"is_list": True}),
        (pa.large_list_view(pa.int32()), {"is_list": True}),
        (pa.list_(pa.float64(), 3), {"dtype": "float32", "dims": (None, 3)}),
        (pa.string(), {"is_list": True, "properties": {"delimiter": "|"}}),
    ],
)
def test_a_type_that_can_become_the_columns_fits(found: pa.DataType, wanted: dict[str, Any]) -> None:
    assert fits(found, column(**wanted))


def test_columns_that_lack_or_stand_twice_are_named() -> None:
    with pytest.raises(ValueError, match=r"f\.parquet lacks the columns \['y', 'z'\].*It has \['x'\]"):
        check_columns(pa.schema([("x", pa.int64())]), Schema(["x", "y", "z"]), "f.parquet")
    with pytest.raises(ValueError, match=r"f\.parquet has the column 'x' more than once. Rename one"):
        check_columns(pa.schema([("x", pa.int64()), ("x", pa.int64())]), Schema(["x"]), "f.parquet")


def test_a_nullable_dense_integer_is_refused_and_a_nullable_id_is_not() -> None:
    nullable = {"nullable": True}
    with pytest.raises(ValueError, match="'x' is nullable and of dtype int64.*Give it the dtype float32 or float64"):
        check_schema(Schema([column(properties=nullable)]))
    check_schema(Schema([column(tags=[Tags.ID], properties=nullable)]))
    check_schema(Schema([column(dtype="float32", properties=nullable)]))
