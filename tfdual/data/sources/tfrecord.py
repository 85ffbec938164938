"""TFRecord files of `tf.train.Example`."""

import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from google.protobuf.message import DecodeError

from tfdual.data.arrow_types import delimiter_of, is_list
from tfdual.data.faults import Fault, fault
from tfdual.data.sources.files import Files
from tfdual.data.sources.source import Block, Part, Source
from tfdual.data.values import convert

SUFFIXES = (".tfrecord", ".tfrecords", ".tfrec")
SAMPLE_RECORDS = 100
BATCH_RECORDS = 8_192
BATCH_BYTES = 8 << 20
FRAME_BYTES = 16
_STORED = {
    "bytes_list": (tf.string, pa.binary()),
    "float_list": (tf.float32, pa.float32()),
    "int64_list": (tf.int64, pa.int64()),
}
_TENSOR_TYPES = {arrow: tensor for tensor, arrow in _STORED.values()}
_NOT_READ = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.UnknownError)


class TFRecordSource(Source):
    """Serialised `tf.train.Example`s, parsed in batches.

    A feature that a record lacks is null, or an empty list. Bytes of a list that has a delimiter are one text, several
    joined by it. Which features there are and how they are stored (bytes, floats or integers) is told by the first 100
    records of every file, taken together.

    Args:
        files: Files.

    Raises:
        ValueError: a file is no TFRecord, or a record no `tf.train.Example`.
        OSError: a remote file ended before the size that its store states.
    """

    is_text = True

    def __init__(self, files: Files) -> None:
        super().__init__(files.name)
        self._files = files
        self._paths = {files.label(path): path for path in files.paths}
        self._copies: tempfile.TemporaryDirectory | None = None

    @cached_property
    def _samples(self) -> dict[str, list[bytes]]:
        return {label: self._sampled(label) for label in self._paths}

    @cached_property
    def arrow_schemas(self) -> dict[str, pa.Schema]:
        """The features of every file's first records; a file that lacks one has it as null."""
        found = {label: _features(records, label) for label, records in self._samples.items()}
        every: dict[str, pa.DataType] = {}
        for types in found.values():
            every |= {name: kind for name, kind in types.items() if every.get(name, pa.null()) == pa.null()}
        return {
            label: pa.schema([(name, types.get(name, every[name])) for name in sorted(every)])
            for label, types in found.items()
        }

    @cached_property
    def parts(self) -> list[Part]:
        """The files."""
        return [Part(label) for label in self._paths]

    def count(self, part: Part) -> int:
        """Records of the file."""
        return sum(len(batch) for batch in self._records(part.file))

    def blocks(self, part: Part, wanted: pa.Schema, size: int) -> Iterator[Block]:
        """The file in batches of records, of about 8 MiB."""
        stored = self.arrow_schemas[part.file]
        kinds = {field.name: _kind(stored.field(field.name).type, field.type) for field in wanted}
        for records in self._records(part.file):
            yield _parsed(records, wanted, kinds)

    def _records(self, label: str) -> Iterator[np.ndarray]:
        sample = self._samples[label]
        mean = sum(len(record) for record in sample) // max(1, len(sample)) + 1
        batches = self._dataset(label).batch(max(1, min(BATCH_RECORDS, BATCH_BYTES // mean)))
        read = size = 0
        try:
            for batch in batches:
                records = batch.numpy()
                yield records
                read += len(records)
                size += sum(map(len, records)) + FRAME_BYTES * len(records)
        except _NOT_READ as error:
            raise _unreadable(label, read) from error
        # TensorFlow takes a file that ends inside the frame of a record for a whole one.
        path = Path(self._local(self._paths[label]))
        if path.suffix != ".gz" and path.stat().st_size != size:
            raise _unreadable(label, read)

    def _sampled(self, label: str) -> list[bytes]:
        records: list[bytes] = []
        try:
            for record in self._dataset(label).take(SAMPLE_RECORDS):
                records.append(record.numpy())
        except _NOT_READ as error:
            if not records:
                raise _unreadable(label, 0) from error
        return records

    def _dataset(self, label: str) -> tf.data.Dataset:
        path = self._local(self._paths[label])
        return tf.data.TFRecordDataset(path, "GZIP" if path.endswith(".gz") else "")

    def _local(self, path: str) -> str:
        """TensorFlow reads local files only: a remote one is copied once, to a temporary folder."""
        if self._files.is_local:
            return path
        if self._copies is None:
            self._copies = tempfile.TemporaryDirectory(prefix="tfdual-")
        copy = Path(self._copies.name) / f"{self._files.paths.index(path)}-{path.rsplit('/', 1)[-1]}"
        if not copy.exists():
            partial = copy.with_name(f"{copy.name}.part")
            stated = self._files.system.get_file_info(path).size
            with self._files.system.open_input_stream(path, compression=None) as source, partial.open("wb") as target:
                while block := source.read(1 << 22):
                    target.write(block)
            # A copy that ends between two records would read as a whole file of fewer rows.
            if stated is not None and (copied := partial.stat().st_size) < stated:
                raise OSError(
                    f"{self._files.label(path)} ended after {copied} of {stated} bytes: the connection broke off, or "
                    "the file was written anew meanwhile. Read it again."
                )
            partial.rename(copy)
        return str(copy)


def _unreadable(label: str, read: int) -> ValueError:
    return ValueError(
        f"{label} can't be read as TFRecord after record {read}: it is truncated, corrupt or of another format. "
        "Write it again, or name its format."
    )


def _features(records: list[bytes], label: str) -> dict[str, pa.DataType]:
    """How features are stored; null where no record holds a value."""
    types: dict[str, pa.DataType] = {}
    several: set[str] = set()
    for record in records:
        try:
            features = tf.train.Example.FromString(record).features.feature
        except DecodeError as error:
            raise ValueError(f"{label} holds records that are no tf.train.Example.") from error
        for name, feature in features.items():
            kind = feature.WhichOneof("kind")
            if kind is None or not (values := getattr(feature, kind).value):
                types.setdefault(name, pa.null())
                several.add(name)
                continue
            if types.get(name, pa.null()) == pa.null():
                types[name] = _STORED[kind][1]
            if len(values) > 1:
                several.add(name)
    return {name: pa.list_(kind) if name in several else kind for name, kind in types.items()}


def _kind(stored: pa.DataType, wanted: pa.DataType) -> pa.DataType:
    """The type to parse a feature as; where no first record holds a value, the one that suits the schema."""
    found, value = (each.value_type if is_list(each) else each for each in (stored, wanted))
    if found in _TENSOR_TYPES:
        return found
    if pa.types.is_floating(value):
        return pa.float32()
    return pa.int64() if pa.types.is_integer(value) or pa.types.is_boolean(value) else pa.binary()


def _parsed(records: np.ndarray, wanted: pa.Schema, kinds: dict[str, pa.DataType]) -> Block:
    features = {
        name: tf.io.RaggedFeature(_TENSOR_TYPES[kind], row_splits_dtype=tf.int64) for name, kind in kinds.items()
    }
    try:
        parsed = tf.io.parse_example(records, features)
    except tf.errors.InvalidArgumentError:
        return _one_by_one(records, wanted)
    faults: list[Fault] = []
    columns: dict[str, pa.Array] = {}
    for field in wanted:
        ragged = parsed[field.name]
        values = pa.array(ragged.flat_values.numpy(), kinds[field.name])
        columns[field.name] = _column(values, ragged.row_splits.numpy(), field, faults)
    return Block(pa.table(columns), faults)


def _column(values: pa.Array, splits: np.ndarray, field: pa.Field, faults: list[Fault]) -> pa.Array:
    lengths = np.diff(splits)
    if is_list(field.type):
        missing = pa.array((lengths == 0) & pa.types.is_fixed_size_list(field.type))
        lists = pa.ListArray.from_arrays(pa.array(splits.astype(np.int32)), values, mask=missing)
        if pa.types.is_binary(values.type) and (delimiter := delimiter_of(field)) is not None:
            return pc.binary_join(lists, delimiter.encode())
        return lists
    for row in np.flatnonzero(lengths > 1).tolist():
        held = values[splits[row] : splits[row + 1]].to_pylist()
        faults.append(fault(field.name, "dtype", np.array([row]), [held]))
    first = pa.array(splits[:-1], mask=lengths != 1)
    return values.take(first)


def _one_by_one(records: np.ndarray, wanted: pa.Schema) -> Block:
    """Records of which one holds a feature in another form than the rest."""
    faults: list[Fault] = []
    columns: dict[str, list[Any]] = {name: [] for name in wanted.names}
    for row, record in enumerate(records):
        features: Any = {}
        try:
            features = tf.train.Example.FromString(record).features.feature
        except DecodeError:
            faults.append(fault("", "malformed", np.array([row]), [record[:80]]))
        for field in wanted:
            value, rule = _value(features, field)
            columns[field.name].append(value)
            if rule:
                faults.append(fault(field.name, rule, np.array([row]), [str(features[field.name])]))
    return Block(pa.table({field.name: pa.array(columns[field.name], field.type) for field in wanted}), faults)


def _value(features: Any, field: pa.Field) -> tuple[Any, str | None]:
    """The value of a record, or null and the rule that it breaks."""
    nothing: Any = [] if pa.types.is_list(field.type) else None
    kind = features[field.name].WhichOneof("kind") if field.name in features else None
    if kind is None:
        return nothing, None
    held = list(getattr(features[field.name], kind).value)
    if kind == "bytes_list" and (delimiter := delimiter_of(field)) is not None:
        text = delimiter.encode().join(held)
        held = text.split(delimiter.encode()) if text else []
    values = pa.array(held, _STORED[kind][1])
    converted, problems = convert(values, field.type.value_type if is_list(field.type) else field.type)
    if problems or (not is_list(field.type) and len(values) > 1):
        return nothing, next(iter(problems), "dtype")
    if not is_list(field.type):
        return (converted[0].as_py() if len(converted) else None), None
    if pa.types.is_fixed_size_list(field.type) and len(converted) != field.type.list_size:
        return None, "width"
    return converted.to_pylist(), None
