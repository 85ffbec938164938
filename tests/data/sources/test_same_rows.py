"""The same rows come out of every format, whatever the files and folders look like."""

import bz2
import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from tests.data.sources.sample_rows import FRAMES, ROWS, SCHEMA, TABLE, WRITERS, write_sqlite
from tfdual import Rows, Schema, read

PACKERS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
    ".lz4": lambda content: pa.compress(content, codec="lz4", asbytes=True),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_file_format_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    WRITERS[suffix](TABLE, tmp_path / f"rows{suffix}")
    rows = read(tmp_path / f"rows{suffix}", SCHEMA)
    assert rows.to_arrow().to_pylist() == ROWS
    assert len(rows) == len(ROWS)


@pytest.mark.parametrize("kind", FRAMES)
def test_every_frame_gives_the_same_rows(kind: str) -> None:
    rows = read(FRAMES[kind](TABLE), SCHEMA)
    assert rows.to_arrow().to_pylist() == ROWS
    assert len(rows) == len(ROWS)


def test_a_database_gives_the_same_rows(tmp_path: Path) -> None:
    write_sqlite(TABLE, tmp_path / "shop.db")
    rows = read(f"sqlite:///{tmp_path}/shop.db", SCHEMA, query="items")
    assert rows.to_arrow().to_pylist() == ROWS


@pytest.mark.parametrize("suffix", WRITERS)
def test_columns_are_told_by_name_and_others_left_where_they_are(tmp_path: Path, suffix: str) -> None:
    WRITERS[suffix](TABLE, tmp_path / f"rows{suffix}")
    schema = Schema([SCHEMA["price"], SCHEMA["id"]])
    assert read(tmp_path / f"rows{suffix}", schema).take(9) == [
        {"price": row["price"], "id": row["id"]} for row in ROWS
    ]


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_directory_gives_all_its_files_by_name_and_a_glob_what_it_matches(tmp_path: Path, suffix: str) -> None:
    folder = several(tmp_path, suffix)
    assert ids(read(folder, SCHEMA)) == [ROWS[i]["id"] for i in (0, 1, 2)]
    assert ids(read(f"{folder}/*{suffix}", SCHEMA)) == [ROWS[i]["id"] for i in (0, 1)]
    assert ids(read(f"{folder}/**/*{suffix}", SCHEMA)) == [ROWS[i]["id"] for i in (0, 1, 2)]
    assert ids(read(f"{folder}/[b]*{suffix}", SCHEMA)) == [ROWS[1]["id"]]


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_epoch_and_every_shard_reads_the_same_rows_again(tmp_path: Path, suffix: str) -> None:
    rows = read(several(tmp_path, suffix), SCHEMA)
    assert ids(rows) == ids(rows)
    assert [ids(rows.shard(i, 3)) for i in range(3)] == [[row["id"]] for row in ROWS]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("packed", [".gz", ".bz2", ".zst"])
def test_text_is_unpacked_as_its_name_says(tmp_path: Path, suffix: str, packed: str) -> None:
    WRITERS[suffix](TABLE, tmp_path / "plain")
    content = (tmp_path / "plain").read_bytes()
    (tmp_path / f"rows{suffix}{packed}").write_bytes(PACKERS[packed](content))
    assert read(tmp_path / f"rows{suffix}{packed}", SCHEMA).to_arrow().to_pylist() == ROWS


def test_a_packed_tfrecord_is_unpacked(tmp_path: Path) -> None:
    WRITERS[".tfrecord"](TABLE, tmp_path / "rows.tfrecord.gz")
    assert read(tmp_path / "rows.tfrecord.gz", SCHEMA).to_arrow().to_pylist() == ROWS


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_without_a_telling_name_is_read_as_the_format_that_is_given(tmp_path: Path, suffix: str) -> None:
    formats = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".tfrecord": "tfrecord"}
    WRITERS[suffix](TABLE, tmp_path / "part-00000")
    assert read(tmp_path / "part-00000", SCHEMA, format=formats.get(suffix, "arrow")).to_arrow().to_pylist() == ROWS
    with pytest.raises(ValueError, match=r"part-00000 doesn't tell its format by its name. Set format to one of"):
        read(tmp_path / "part-00000", SCHEMA)


@pytest.mark.parametrize("suffix", WRITERS)
def test_hidden_files_and_markers_are_no_rows(tmp_path: Path, suffix: str) -> None:
    folder = several(tmp_path, suffix)
    (folder / f".hidden{suffix}").write_text("no rows")
    (folder / f"_SUCCESS{suffix}").write_text("no rows")
    (folder / "notes.txt").write_text("no rows")
    assert len(read(folder, SCHEMA)) == 3


def several(tmp_path: Path, suffix: str) -> Path:
    """A folder with one row a file."""
    folder = tmp_path / "rows"
    (folder / "deep").mkdir(parents=True)
    for i, name in enumerate(["a", "b", "deep/c"]):
        WRITERS[suffix](TABLE.slice(i, 1), folder / f"{name}{suffix}")
    return folder


def ids(rows: Rows) -> list[int]:
    return rows.to_arrow()["id"].to_pylist()
