"""Arrow IPC files and streams that are whole, and such that are not."""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

from tests.data.sources.sample_rows import SCHEMA, TABLE, write_ipc_file, write_ipc_stream
from tfdual import ColumnSchema, Schema, infer_schema, read
from tfdual.data.order import shuffled

WRITERS = [write_ipc_file, write_ipc_stream]


def test_the_record_batches_of_a_file_are_parts(tmp_path: Path) -> None:
    write_ipc_file(TABLE, tmp_path / "a.arrow")
    rows = read(tmp_path / "a.arrow", SCHEMA)
    assert [part.rows for part in rows.stream.source.parts] == [2, 1]


def test_feather_and_packed_buffers_are_read(tmp_path: Path) -> None:
    pa.feather.write_feather(TABLE, str(tmp_path / "a.feather"), compression="zstd")
    assert read(tmp_path / "a.feather", SCHEMA).to_arrow().to_pylist() == TABLE.to_pylist()


@pytest.mark.parametrize("write", WRITERS)
def test_dictionaries_are_their_values(tmp_path: Path, write: object) -> None:
    write(pa.table({"x": pa.array(["a", "b", "a"]).dictionary_encode()}), tmp_path / "a.arrow")
    assert read(tmp_path / "a.arrow", Schema([ColumnSchema("x", dtype="string")])).to_arrow()["x"].to_pylist() == [
        "a",
        "b",
        "a",
    ]


@pytest.mark.parametrize("write", WRITERS)
def test_a_truncated_file_is_named(tmp_path: Path, write: object) -> None:
    path = tmp_path / "a.arrow"
    write(pa.table({"id": range(10_000)}), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 9_000])
    with pytest.raises(ValueError, match=r"a\.arrow can't be read as Arrow IPC"):
        read(path, Schema(["id"])).to_arrow()


@pytest.mark.parametrize("content", [b"", b"id,name\n1,a\n", b"ARROW1", b"PAR1" * 9])
def test_what_is_no_arrow_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.arrow").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.arrow can't be read as Arrow IPC"):
        read(tmp_path / "a.arrow", SCHEMA)


@pytest.mark.parametrize("write", WRITERS)
def test_a_file_without_rows_has_no_rows(tmp_path: Path, write: object) -> None:
    write(TABLE.slice(3), tmp_path / "a.arrow")
    with pytest.raises(ValueError, match=r"a\.arrow has no rows"):
        read(tmp_path / "a.arrow", SCHEMA)


@pytest.mark.parametrize("write", WRITERS)
def test_a_filter_keeps_the_rows_that_fit(tmp_path: Path, write: object) -> None:
    write(TABLE, tmp_path / "a.arrow")
    kept = read(tmp_path / "a.arrow", SCHEMA, filter=[("sold", "=", True)]).to_arrow()["id"].to_pylist()
    assert kept == [2**53 + 1, 2**63 - 1]


def test_files_of_polars_and_views_in_memory_are_read_filtered_and_guessed(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": ["a", "b", "a"], "item_id": ["x", "y", "z"], "tags": [["q"], ["r", "s"], []]})
    frame.write_ipc(tmp_path / "a.arrow")
    views = frame.to_arrow(compat_level=pl.CompatLevel.newest())
    assert pa.types.is_string_view(views.schema.field("user_id").type)
    for source in (tmp_path / "a.arrow", views):
        schema = infer_schema(source, print_reasons=False)
        assert read(source, schema).to_arrow().to_pylist() == frame.to_dicts()
        assert len(read(source, schema).unique(by="user_id")) == 2
        kept = read(source, schema, filter=[("user_id", "==", "a")]).to_arrow()
        assert kept["tags"].to_pylist() == [["q"], []]


@pytest.mark.parametrize("of", [pa.list_view, pa.large_list_view])
def test_lists_that_are_views_are_read_as_they_are(of: Callable) -> None:
    lists = [["a"], [], ["b", "c"]]
    schema = Schema([ColumnSchema("tags", dtype="string", is_list=True)])
    found = read(pa.table({"tags": pa.array(lists, of(pa.string_view()))}), schema)
    assert found.to_arrow()["tags"].to_pylist() == lists


@pytest.mark.parametrize("write", WRITERS)
def test_more_files_are_read_than_may_be_open(tmp_path: Path, write: Callable) -> None:
    count, most = 300, len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")) + 100
    for i in range(count):
        write(pa.table({"id": [i]}), tmp_path / f"{i:03}.arrow")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, limits[1]))
    try:
        rows = read(tmp_path, Schema(["id"]))
        assert len(rows) == count
        assert rows.to_arrow()["id"].to_pylist() == list(range(count))
        assert sum(table.num_rows for table in shuffled(rows.stream, (0,))) == count
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
