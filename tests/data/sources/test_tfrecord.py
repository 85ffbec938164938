"""TFRecord files of `tf.train.Example`."""

import gzip
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import pytest
import tensorflow as tf
from fsspec.implementations.memory import MemoryFileSystem

from tests.data.sources.sample_rows import example
from tfdual import ColumnSchema, Schema, Tags, read, validate
from tfdual.data.sources import tfrecord

IDS = Schema(["id"])


def write(path: Path, *rows: dict[str, Any] | bytes) -> Path:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            writer.write(row if isinstance(row, bytes) else example(row).SerializeToString())
    return path


def values(path: Path, column: ColumnSchema) -> list[Any]:
    return read(path, Schema([column])).to_arrow()[column.name].to_pylist()


def test_a_feature_that_a_record_lacks_is_null_or_an_empty_list(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tfrecord", {"id": 1, "tags": [1, 2], "v": [1.0, 2.0]}, {"id": 2}, {"id": 3, "tags": [], "v": []}
    )
    nullable = {"nullable": True}
    assert values(path, ColumnSchema("tags", is_list=True)) == [[1, 2], [], []]
    assert values(path, ColumnSchema("v", dims=(None, 2), dtype="float32", properties=nullable)) == [
        [1, 2],
        [0, 0],
        [0, 0],
    ]
    path = write(tmp_path / "b.tfrecord", {"id": 1, "x": 0.5}, {"id": 2})
    with pytest.raises(ValueError, match=r"Column 'x' of .*b\.tfrecord, row 1: the value is missing"):
        values(path, ColumnSchema("x", dtype="float32"))


def test_features_that_first_have_a_value_after_the_sample_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tfrecord, "SAMPLE_RECORDS", 3)
    rows = [{"id": i, "ids": [], "words": [], "v": []} for i in range(5)]
    path = write(tmp_path / "a.tfrecord", *rows, {"id": 5, "ids": [7], "words": ["w"], "v": [0.5]})
    assert values(path, ColumnSchema("ids", is_list=True))[4:] == [[], [7]]
    assert values(path, ColumnSchema("words", is_list=True, dtype="string"))[4:] == [[], ["w"]]
    assert values(path, ColumnSchema("v", is_list=True, dtype="float32"))[4:] == [[], [0.5]]


def test_a_feature_that_one_file_of_several_lacks_is_missing_in_its_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.tfrecord", {"id": 1})
    write(tmp_path / "b.tfrecord", {"id": 2, "tags": [5]})
    assert values(tmp_path, ColumnSchema("tags", is_list=True)) == [[], [5]]
    with pytest.raises(ValueError, match=r"a\.tfrecord lacks the columns \['nothing'\].*It has \['id', 'tags'\]"):
        read(tmp_path, Schema(["nothing"]))


def test_records_that_store_a_feature_in_different_kinds_are_read_or_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tfrecord", {"id": 1, "x": 0.5}, {"id": 2, "x": 3}, {"id": 3, "x": "9"}, {"id": 4, "x": "nine"}
    )
    report = validate(path, Schema([ColumnSchema("x", dtype="float32")]))
    assert [(each.rule, [row for _, row, _ in each.first]) for each in report.findings] == [("dtype", [3])]
    rows = read(
        path, Schema([ColumnSchema("x", dtype="float32")]), on_error="quarantine", quarantine=tmp_path / "bad.parquet"
    )
    assert rows.to_arrow()["x"].to_pylist() == [0.5, 3, 9]


def test_several_values_where_one_is_wanted_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tfrecord", {"id": 1}, {"id": [2, 3]})
    with pytest.raises(ValueError, match=r"Column 'id' of .*row 1: the value is not of the column's dtype.*\[2, 3\]"):
        values(path, ColumnSchema("id"))


def test_a_record_that_is_no_example_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"a\.tfrecord holds records that are no tf\.train\.Example"):
        read(write(tmp_path / "a.tfrecord", b"not an example"), IDS)
    monkeypatch.setattr(tfrecord, "SAMPLE_RECORDS", 1)
    report = validate(write(tmp_path / "b.tfrecord", {"id": 1}, b"not an example", {"id": 3}), IDS)
    assert [(each.rule, [row for _, row, _ in each.first]) for each in report.findings] == [("malformed", [1])]


def test_a_truncated_or_changed_file_is_named_with_the_last_good_record(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tfrecord", *({"id": i} for i in range(50)))
    content = path.read_bytes()
    size = len(content) // 50
    path.write_bytes(content[: size * 20 + 5])
    with pytest.raises(
        ValueError, match=r"a\.tfrecord can't be read as TFRecord after record \d+: it is truncated, corrupt"
    ):
        read(path, IDS).to_arrow()
    changed = bytearray(content)
    changed[size * 30 + 14] ^= 255
    path.write_bytes(changed)
    with pytest.raises(ValueError, match=r"a\.tfrecord can't be read as TFRecord after record"):
        read(path, IDS).to_arrow()


def test_a_remote_file_that_ends_early_between_two_records_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = write(tmp_path / "a.tfrecord", *({"id": i} for i in range(50))).read_bytes()
    part = content[: len(content) // 50 * 20]
    fsspec.filesystem("memory").pipe_file("/early/a.tfrecord", content)
    with monkeypatch.context() as patched:
        patched.setattr(MemoryFileSystem, "_open", lambda *_, **__: BytesIO(part))
        with pytest.raises(OSError, match=rf"/early/a\.tfrecord ended after {len(part)} of {len(content)} bytes"):
            read("memory://early/a.tfrecord", IDS)
    assert read("memory://early/a.tfrecord", IDS).to_arrow()["id"].to_pylist() == list(range(50))


def test_a_file_of_another_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tfrecord").write_text("id,name\n1,a\n" * 9)
    with pytest.raises(ValueError, match=r"a\.tfrecord can't be read as TFRecord after record 0"):
        read(tmp_path / "a.tfrecord", IDS)
    (tmp_path / "a.tfrecord.gz").write_text("id,name\n1,a\n" * 9)
    with pytest.raises(ValueError, match=r"a\.tfrecord\.gz can't be read as TFRecord after record 0"):
        read(tmp_path / "a.tfrecord.gz", IDS)


def test_a_truncated_packed_file_is_named(tmp_path: Path) -> None:
    content = gzip.compress(write(tmp_path / "b.tfrecord", *({"id": i * 7919} for i in range(5000))).read_bytes())
    (tmp_path / "a.tfrecord.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a\.tfrecord\.gz can't be read as TFRecord after record"):
        read(tmp_path / "a.tfrecord.gz", IDS).to_arrow()


def test_a_file_without_records_has_no_rows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.tfrecord (has no rows|lacks the columns)"):
        read(write(tmp_path / "a.tfrecord"), IDS)


def test_large_records_are_parsed_in_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfrecord, "BATCH_BYTES", 1000)
    path = write(tmp_path / "a.tfrecord", *({"id": i, "text": "x" * 400} for i in range(9)))
    source = read(path, IDS).stream.source
    sizes = [block.table.num_rows for block in source.blocks(source.parts[0], source.arrow_schemas[str(path)], 9)]
    assert max(sizes) <= 2
    assert sum(sizes) == 9


@pytest.mark.parametrize("mixed", [False, True], ids=["bytes", "bytes and integers"])
def test_delimited_lists_are_split(tmp_path: Path, mixed: bool) -> None:
    rows: list[dict[str, Any]] = [
        {"kinds": "Action|Comedy", "years": "2018|2020"},
        {"kinds": ["War", "Drama"], "years": "2019"},
        {"kinds": "", "years": []},
        {},
    ]
    path = write(tmp_path / "a.tfrecord", *rows, *[{"kinds": "Tea", "years": [2016, 2017]}] * mixed)
    kinds = ColumnSchema("kinds", [Tags.CATEGORICAL], {"delimiter": "|"}, dtype="string", is_list=True)
    years = ColumnSchema("years", [Tags.CATEGORICAL], {"delimiter": "|"}, is_list=True)
    assert values(path, kinds) == [["Action", "Comedy"], ["War", "Drama"], [], [], *[["Tea"]] * mixed]
    assert values(path, years) == [[2018, 2020], [2019], [], [], *[[2016, 2017]] * mixed]
    report = validate(path, Schema([ColumnSchema("kinds", [Tags.CATEGORICAL], {"delimiter": "|"}, is_list=True)]))
    assert [(each.rule, each.count) for each in report.findings] == [("dtype", 2 + mixed)]
