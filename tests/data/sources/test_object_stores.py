"""Object stores through fsspec: S3 and Google Cloud Storage from servers on loopback, and memory."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import gcsfs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
from botocore.exceptions import EndpointConnectionError

from tests.data.sources.sample_rows import ROWS, SCHEMA, TABLE, WRITERS
from tfdual import Schema, read

FOLDERS = ("a", "b", "deep/c")


@pytest.fixture(scope="module")
def rows_of_every_format(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each format, with one row a file."""
    folder = tmp_path_factory.mktemp("rows")
    for suffix, write in WRITERS.items():
        for i, name in enumerate(FOLDERS):
            path = folder / suffix[1:] / f"{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(TABLE.slice(i, 1), path)
    return folder


@pytest.fixture(scope="module")
def s3(s3_options: dict[str, Any], rows_of_every_format: Path) -> Iterator[dict[str, Any]]:
    """The storage options of S3 with the bucket `shop`."""
    system = s3fs.S3FileSystem(**s3_options)
    system.mkdir("shop")
    system.put(f"{rows_of_every_format}/", "shop/rows/", recursive=True)
    return s3_options


@pytest.fixture(scope="module")
def gcs(gcs_options: dict[str, Any], rows_of_every_format: Path) -> dict[str, Any]:
    """The storage options of Google Cloud Storage with the bucket `shop`."""
    system = gcsfs.GCSFileSystem(project="test", **gcs_options)
    system.mkdir("shop")
    for path in sorted(rows_of_every_format.rglob("*.*")):
        target, content = f"shop/rows/{path.relative_to(rows_of_every_format)}", path.read_bytes()
        # In pieces, here of the whole size: of a file sent at once the server drops a last byte that is a "\r".
        system.pipe_file(target, content, chunksize=len(content))
        assert system.cat_file(target) == content
    return gcs_options


@pytest.mark.parametrize("suffix", WRITERS)
def test_s3_gives_a_file_a_directory_and_a_glob_of_every_format(s3: dict[str, Any], suffix: str) -> None:
    check(f"s3://shop/rows/{suffix[1:]}", suffix, s3)


@pytest.mark.parametrize("suffix", WRITERS)
def test_google_cloud_storage_gives_a_file_a_directory_and_a_glob_of_every_format(
    gcs: dict[str, Any], suffix: str
) -> None:
    check(f"gs://shop/rows/{suffix[1:]}", suffix, gcs)


def check(folder: str, suffix: str, options: dict[str, Any]) -> None:
    def found(source: str) -> list[dict[str, Any]]:
        return read(source, SCHEMA, storage_options=options).to_arrow().to_pylist()

    assert found(f"{folder}/a{suffix}") == ROWS[:1]
    assert found(folder) == ROWS
    assert found(f"{folder}/") == ROWS
    assert found(f"{folder}/*{suffix}") == ROWS[:2]
    assert found(f"{folder}/**/*{suffix}") == ROWS


def test_packed_text_is_unpacked_from_s3(s3: dict[str, Any], rows_of_every_format: Path) -> None:
    content = (rows_of_every_format / "jsonl" / "a.jsonl").read_bytes()
    s3fs.S3FileSystem(**s3).pipe_file("shop/packed/a.jsonl.zst", pa.compress(content, codec="zstd", asbytes=True))
    assert read("s3://shop/packed", SCHEMA, storage_options=s3).to_arrow().to_pylist() == ROWS[:1]


def test_a_partitioned_table_on_s3_is_pruned_by_its_folders(s3: dict[str, Any]) -> None:
    system = s3fs.S3FileSystem(**s3)
    for year in (2023, 2024):
        with system.open(f"shop/parts/year={year}/part.parquet", "wb") as file:
            pq.write_table(pa.table({"id": [year * 10, year * 10 + 1]}), file)
    rows = read("s3://shop/parts", Schema(["id", "year"]), filter=[("year", "=", 2024)], storage_options=s3)
    assert rows.take(9) == [{"id": 20240, "year": 2024}, {"id": 20241, "year": 2024}]
    assert len(rows.stream.source.parts) == 1


def test_messages_name_the_file_with_its_protocol(s3: dict[str, Any]) -> None:
    s3fs.S3FileSystem(**s3).pipe_file("shop/bad/rows.parquet", b"no rows")
    with pytest.raises(ValueError, match=r"s3://shop/bad/rows\.parquet can't be read as Parquet"):
        read("s3://shop/bad/rows.parquet", SCHEMA, storage_options=s3)


@pytest.mark.parametrize(
    "place", ["nothing/here.parquet", "nothing", "shop/rows/nothing.parquet", "shop/rows/x*.parquet"]
)
def test_a_missing_bucket_or_key_is_named(s3: dict[str, Any], place: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no .*file .*Check bucket and path") as caught:
        read(f"s3://{place}", SCHEMA, storage_options=s3)
    assert f"s3://{place}" in str(caught.value)


def test_a_server_that_is_not_there_is_no_missing_file() -> None:
    options = {"endpoint_url": "http://127.0.0.1:1", "key": "x", "secret": "x"}
    once = {"config_kwargs": {"retries": {"max_attempts": 0}}}
    with pytest.raises(EndpointConnectionError, match="Could not connect to .*127.0.0.1:1"):
        read("s3://shop/rows/a.parquet", SCHEMA, storage_options=options | once)


@pytest.mark.parametrize("module, url, extra", [("s3fs", "s3://shop/a.csv", "s3"), ("gcsfs", "gs://shop/a.csv", "gcs")])
def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch, module: str, url: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, url.split(":")[0], raising=False)
    with pytest.raises(ImportError, match=rf"tfdual\[{extra}\]"):
        read(url, SCHEMA)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=rf"`fsspec` is needed .*tfdual\[{extra}\]"):
        read(url, SCHEMA)


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(ImportError, match="needs the driver|needs a dialect"):
        read("nowhere://shop/a.csv", SCHEMA, query="x")


@pytest.mark.parametrize("suffix", WRITERS)
def test_any_file_system_of_fsspec_is_a_source(rows_of_every_format: Path, suffix: str) -> None:
    system = fsspec.filesystem("memory")
    for path in sorted((rows_of_every_format / suffix[1:]).rglob("*.*")):
        system.pipe_file(f"/shop/{suffix[1:]}/{path.relative_to(rows_of_every_format / suffix[1:])}", path.read_bytes())
    assert read(f"memory://shop/{suffix[1:]}", SCHEMA).to_arrow().to_pylist() == ROWS
