"""Databases through SQLAlchemy, on SQLite: what a query gives, and when."""

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from tfdual import ColumnSchema, Schema, read, validate
from tfdual.data.sources import sql

IDS = Schema(["id"])
Make = Callable[..., str]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function from statements to the URL of a database that ran them."""
    url = f"sqlite:///{tmp_path}/shop.db"

    def run(*statements: str) -> str:
        engine = sqlalchemy.create_engine(url)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()
        return url

    return run


@pytest.fixture
def snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A function that lists the temporary folders of queries."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(sql.tempfile, "tempdir", str(folder))
    return lambda: sorted(each.name for each in folder.iterdir())


def values(url: str, query: str, column: ColumnSchema) -> list[Any]:
    return [row[column.name] for row in read(url, Schema([column]), query=query).take(100)]


def test_a_table_a_quoted_table_and_a_query_are_read(make: Make) -> None:
    url = make("CREATE TABLE items (id INTEGER)", "INSERT INTO items VALUES (1), (2), (3)")
    make('CREATE TABLE "order" (id INTEGER)', 'INSERT INTO "order" VALUES (9)')
    assert read(url, IDS, query="items").take(9) == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert read(url, IDS, query="main.items").take(1) == [{"id": 1}]
    assert read(url, IDS, query="order").take(9) == [{"id": 9}]
    assert read(url, IDS, query="SELECT id * 10 AS id FROM items WHERE id > 1 ORDER BY id DESC").take(9) == [
        {"id": 30},
        {"id": 20},
    ]


def test_colons_and_percent_signs_of_a_query_are_its_own(make: Make) -> None:
    url = make(
        "CREATE TABLE items (id INTEGER, name)", "INSERT INTO items VALUES (1, 'a :b'), (2, 'at 12:30'), (3, 'c')"
    )
    assert read(url, IDS, query="SELECT id FROM items WHERE name = 'a :b'").take(9) == [{"id": 1}]
    assert read(url, IDS, query="SELECT id FROM items WHERE name LIKE '%12:30%'").take(9) == [{"id": 2}]


def test_missing_values_are_null(make: Make) -> None:
    url = make("CREATE TABLE items (x, y)", "INSERT INTO items VALUES (NULL, NULL), (NULL, 2)")
    nullable = {"nullable": True}
    assert values(url, "items", ColumnSchema("x", dtype="string", properties=nullable)) == [None, None]
    assert values(url, "items", ColumnSchema("y", dtype="float32", properties=nullable)) == [None, 2.0]
    with pytest.raises(ValueError, match=r"Column 'y' of The query 'items', row 0: the value is missing"):
        values(url, "items", ColumnSchema("y"))


def test_a_column_of_mixed_types_gives_the_fitting_values_and_names_the_others(make: Make) -> None:
    url = make("CREATE TABLE items (x)", "INSERT INTO items VALUES (1), (2.0), ('three'), (4), (5.5)")
    report = validate(url, Schema([ColumnSchema("x", dtype="int64")]), query="items")
    assert [(each.rule, each.count, [row for _, row, _ in each.first]) for each in report.findings] == [
        ("dtype", 2, [2, 4])
    ]
    assert values(url, "SELECT x FROM items WHERE typeof(x) <> 'text'", ColumnSchema("x", dtype="float64")) == [
        1,
        2,
        4,
        5.5,
    ]


def test_bad_rows_are_named_by_their_place_over_fetches_and_row_groups(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "FETCHED_ROWS", 7)
    monkeypatch.setattr(sql, "ROW_GROUP_ROWS", 20)
    url = make(
        "CREATE TABLE items (x)",
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) "
        "INSERT INTO items SELECT CASE WHEN i % 31 = 30 THEN 'bad' ELSE i END FROM n",
    )
    report = validate(url, Schema(["x"]), query="items")
    assert (report.rows, report.bad_rows) == (100, 3)
    assert report.findings[0].first == [("The query 'items'", row, "bad") for row in (30, 61, 92)]
    good = read(url, Schema(["x"]), query="SELECT x FROM items WHERE typeof(x) = 'integer'")
    assert len(good.stream.source.parts) > 3
    assert good.to_arrow()["x"].to_pylist() == [i for i in range(100) if i % 31 != 30]


def test_lists_stand_in_text_as_json_or_delimited(make: Make) -> None:
    url = make("CREATE TABLE items (x, y)", "INSERT INTO items VALUES ('[1, 2]', '1|2'), ('[]', ''), ('[7]', '7')")
    assert values(url, "items", ColumnSchema("x", is_list=True)) == [[1, 2], [], [7]]
    assert values(url, "items", ColumnSchema("y", is_list=True, properties={"delimiter": "|"})) == [[1, 2], [], [7]]


def test_decimals_dates_and_bools_have_their_value(make: Make) -> None:
    url = make(
        "CREATE TABLE items (d DECIMAL(8, 2), t DATE, b BOOLEAN)", "INSERT INTO items VALUES (12.25, '2024-05-06', 1)"
    )
    assert values(url, "items", ColumnSchema("d", dtype="float64")) == [12.25]
    assert values(url, "items", ColumnSchema("t", dtype="string")) == ["2024-05-06"]
    assert values(url, "items", ColumnSchema("b", dtype="bool")) == [True]


def test_ids_above_two_to_the_53_are_exact(make: Make) -> None:
    url = make("CREATE TABLE items (id INTEGER)", f"INSERT INTO items VALUES ({2**53 + 1}), ({2**63 - 1})")
    assert values(url, "items", ColumnSchema("id")) == [2**53 + 1, 2**63 - 1]


def test_rows_added_later_do_not_show_and_the_order_stays(make: Make) -> None:
    url = make("CREATE TABLE items (id INTEGER)", "INSERT INTO items VALUES (3), (1), (2)")
    rows = read(url, IDS, query="SELECT id FROM items ORDER BY random()")
    first = rows.to_arrow()["id"].to_pylist()
    make("INSERT INTO items VALUES (4)", "DELETE FROM items WHERE id = 1")
    assert [rows.to_arrow()["id"].to_pylist() for _ in range(3)] == [first] * 3
    assert sorted(first) == [1, 2, 3]


def test_a_filter_is_applied_to_the_rows(make: Make) -> None:
    url = make("CREATE TABLE items (id INTEGER)", "INSERT INTO items VALUES (1), (2), (3)")
    assert read(url, IDS, query="items", filter=[("id", ">=", 2)]).take(9) == [{"id": 2}, {"id": 3}]


def test_the_temporary_file_goes_with_the_rows(make: Make, snapshots: Callable[[], list[str]]) -> None:
    url = make("CREATE TABLE items (id INTEGER)", "INSERT INTO items VALUES (1)")
    rows = read(url, IDS, query="items")
    assert len(snapshots()) == 1
    with pytest.raises(ValueError, match="no such column: missing"):
        read(url, IDS, query="SELECT id, missing FROM items")
    del rows
    gc.collect()
    assert snapshots() == []


def test_the_temporary_file_goes_when_python_ends(make: Make, tmp_path: Path) -> None:
    url = make("CREATE TABLE items (id INTEGER)", "INSERT INTO items VALUES (1)")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = (
        f"import os, tempfile; tempfile.tempdir = {str(temporary)!r}; from tfdual import Schema, read; "
        f"rows = read({url!r}, Schema(['id']), query='items'); print(len(os.listdir({str(temporary)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert list(temporary.iterdir()) == []


def test_no_row_is_an_error(make: Make) -> None:
    url = make("CREATE TABLE items (id INTEGER)")
    with pytest.raises(ValueError, match="The query 'items' has no rows"):
        read(url, IDS, query="items")


def test_a_wrong_table_query_or_column_is_named(make: Make) -> None:
    url = make("CREATE TABLE items (id INTEGER)", "INSERT INTO items VALUES (1)")
    with pytest.raises(ValueError, match="The query 'itemz' failed: no such table: itemz"):
        read(url, IDS, query="itemz")
    with pytest.raises(ValueError, match='failed: near "SELEKT": syntax error'):
        read(url, IDS, query="SELEKT * FROM items")
    with pytest.raises(ValueError, match=r"lacks the columns \['age'\].*It has \['id'\]"):
        read(url, Schema(["age"]), query="items")
    with pytest.raises(ValueError, match="A database needs query="):
        read(url, IDS)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no SQLite file .*typo\.db"):
        read(f"sqlite:///{tmp_path}/typo.db", IDS, query="items")
    assert not (tmp_path / "typo.db").exists()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("id\n1\n" * 500)
    with pytest.raises(ValueError, match="failed: file is not a database"):
        read(f"sqlite:///{tmp_path}/shop.db", IDS, query="items")


@pytest.mark.parametrize("url", ["mysql+mysqldb://host/shop", "hive://host:10000/shop", "redshift+nothing://host/shop"])
def test_a_missing_driver_is_named(url: str) -> None:
    with pytest.raises(
        ImportError, match=rf"{url.split(':')[0].replace('+', '.')}:// needs .* not installed.*tfdual\[postgres\]"
    ):
        read(url, IDS, query="items")


def test_without_sqlalchemy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ImportError, match=r"`sqlalchemy` is needed .*tfdual\[sql\]"):
        read("sqlite:///shop.db", IDS, query="items")


@pytest.mark.parametrize("numbers", [("1.5", "2"), ("'1.5'", "'2'")], ids=["numbers", "texts"])
def test_an_empty_text_is_a_missing_number(make: Make, numbers: tuple[str, str]) -> None:
    first, last = numbers
    url = make("CREATE TABLE items (x)", f"INSERT INTO items VALUES ({first}), (''), (' '), ({last})")
    assert values(url, "items", ColumnSchema("x", dtype="float32", properties={"nullable": True})) == [
        1.5,
        None,
        None,
        2,
    ]
    (finding,) = validate(url, Schema([ColumnSchema("x", dtype="float32")]), query="items").findings
    assert (finding.rule, [row for _, row, _ in finding.first]) == ("null", [1, 2])
