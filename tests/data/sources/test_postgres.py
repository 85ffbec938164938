"""A real PostgreSQL server over TCP: types, streaming, errors."""

import datetime
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy
from sqlalchemy.dialects import registry

from tests.data.sources.sample_rows import ROWS, SCHEMA
from tfdual import ColumnSchema, Schema, read, validate

STREAMED = """
import resource, sys
from tfdual import ColumnSchema, Schema, read
import pyarrow, sqlalchemy, psycopg
schema = Schema([ColumnSchema("id"), ColumnSchema("text", dtype="string")])
query = "SELECT i AS id, repeat(md5(i::text), 32) AS text FROM generate_series(1, {}) AS i"
read(sys.argv[1], schema, query=query.format(1000)).to_arrow()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = read(sys.argv[1], schema, query=query.format(200000))
total = sum(table.num_rows for table in rows.tables(10000))
print(total, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.fixture
def run(postgres_url: str) -> Iterator[Any]:
    """A function that runs statements in the database."""
    engine = sqlalchemy.create_engine(postgres_url, poolclass=sqlalchemy.NullPool)

    def statements(*each: str) -> None:
        with engine.begin() as connection:
            for statement in each:
                connection.exec_driver_sql(statement)

    yield statements
    statements("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def values(url: str, expression: str, column: ColumnSchema) -> list[Any]:
    rows = read(url, Schema([column]), query=f"SELECT x FROM (VALUES {expression}) AS t(x)")
    return [row["x"] for row in rows.take(100)]


def test_the_server_gives_the_same_rows_as_a_file(run: Any, postgres_url: str) -> None:
    kinds = "id bigint, title text, likes bigint[], words text[], vector real[], price numeric, sold bool"
    run(f"CREATE TABLE items ({kinds})")
    engine = sqlalchemy.create_engine(postgres_url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        names = ", ".join(f":{name}" for name in ROWS[0])
        connection.execute(sqlalchemy.text(f"INSERT INTO items VALUES ({names})"), ROWS)
    assert read(postgres_url, SCHEMA, query="items").to_arrow().to_pylist() == ROWS
    assert read(postgres_url, SCHEMA, query="public.items").to_arrow().to_pylist() == ROWS


def test_arrays_are_lists_and_null_is_a_missing_list(postgres_url: str) -> None:
    nullable = {"nullable": True}
    assert values(
        postgres_url, "(ARRAY[1, 2]), ('{}'), (NULL)", ColumnSchema("x", is_list=True, properties=nullable)
    ) == [
        [1, 2],
        [],
        [],
    ]
    assert values(postgres_url, "(ARRAY['é', 'b,c'])", ColumnSchema("x", is_list=True, dtype="string")) == [
        ["é", "b,c"]
    ]
    assert values(postgres_url, "(ARRAY[0.5, 2])", ColumnSchema("x", dims=(None, 2), dtype="float32")) == [[0.5, 2.0]]


def test_times_are_seconds_since_1970_wherever_the_server_stands(postgres_url: str) -> None:
    moment = datetime.datetime(2024, 5, 6, 12, 30, tzinfo=datetime.UTC)
    with_zone, without = "(TIMESTAMPTZ '2024-05-06 14:30:00+02')", "(TIMESTAMP '2024-05-06 12:30:00')"
    for each in (with_zone, without):
        assert values(postgres_url, each, ColumnSchema("x")) == [int(moment.timestamp())]
    day = datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC).timestamp()
    assert values(postgres_url, "(DATE '2024-05-06')", ColumnSchema("x")) == [int(day)]
    assert values(postgres_url, "(TIMESTAMP '1970-01-01 00:00:00.5')", ColumnSchema("x", dtype="float64")) == [0.5]


def test_numerics_are_exact_where_they_are_whole_and_never_cut(postgres_url: str) -> None:
    whole = f"({2**53 + 1}::numeric), (7::numeric(30, 10))"
    assert values(postgres_url, whole, ColumnSchema("x")) == [2**53 + 1, 7]
    assert values(postgres_url, "(1.5::numeric), (123456.25::numeric)", ColumnSchema("x", dtype="float64")) == [
        1.5,
        123456.25,
    ]
    for wrong in ("(1.5::numeric)", f"({2**63}::numeric)"):
        with pytest.raises(ValueError, match=r"Column 'x' of .*, row 0: the (value|number)"):
            values(postgres_url, wrong, ColumnSchema("x"))


def test_types_that_have_no_place_in_a_schema_do_not_disturb_the_other_columns(postgres_url: str) -> None:
    query = (
        "SELECT 1 AS id, gen_random_uuid() AS a, '10.0.0.1'::inet AS b, '{\"k\": 1}'::jsonb AS c, '[1,3)'::int4range"
        " AS d, INTERVAL '1 day' AS e, '\\xff'::bytea AS f, NULL AS h, '10:00'::time AS i, 1.5::numeric AS j"
    )
    assert read(postgres_url, Schema(["id"]), query=query).take(9) == [{"id": 1}]
    for name in "bcdfi":
        report = validate(postgres_url, Schema([ColumnSchema(name, dtype="float32")]), query=query)
        assert [each.rule for each in report.findings] in (["dtype"], ["utf-8"]), name


def test_text_is_unicode_and_colons_of_casts_are_the_querys_own(postgres_url: str) -> None:
    query = "SELECT 'Zürich 🦜 :name 50%'::text AS x WHERE 'abc' LIKE 'a%'"
    assert read(postgres_url, Schema([ColumnSchema("x", dtype="string")]), query=query).take(9) == [
        {"x": "Zürich 🦜 :name 50%"}
    ]


@pytest.mark.slow
def test_a_large_result_is_fetched_by_a_cursor_of_the_server_in_bounded_memory(postgres_url: str) -> None:
    done = subprocess.run([sys.executable, "-c", STREAMED, postgres_url], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows, grown = map(int, done.stdout.split())
    assert rows == 200_000
    assert grown < 400, f"{grown} MB for a result of 1 KB * 200,000 rows as Python values"


def test_a_result_is_fetched_by_a_cursor_of_the_server(postgres_url: str) -> None:
    query = "SELECT count(*) AS id FROM pg_cursors"
    assert read(postgres_url, Schema(["id"]), query=query).take(1) == [{"id": 1}]


def test_a_wrong_password_port_or_table_is_one_clear_error(postgres_url: str) -> None:
    secret = str(urlsplit(postgres_url).password)
    with pytest.raises(ValueError, match="failed: .*password authentication failed") as caught:
        read(postgres_url.replace(secret, "wrong"), Schema(["id"]), query="items")
    assert "wrong" not in str(caught.value)
    with pytest.raises(ValueError, match="failed: .*Connection refused.*Check the URL"):
        read("postgresql+psycopg://tfdual:secret@127.0.0.1:1/postgres", Schema(["id"]), query="items")
    with pytest.raises(ValueError, match='failed: relation "items" does not exist'):
        read(postgres_url, Schema(["id"]), query="items")


def test_a_dialect_of_another_package_is_reached_by_the_same_code(postgres_url: str) -> None:
    registry.register("warehouse.driver", "sqlalchemy.dialects.postgresql.psycopg", "PGDialect_psycopg")
    url = postgres_url.replace("postgresql+psycopg", "warehouse+driver")
    assert read(url, Schema(["id"]), query="SELECT 7 AS id").take(9) == [{"id": 7}]
