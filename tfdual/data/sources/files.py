"""Paths, directories and globs, local or remote, to files that Arrow can open."""

import glob
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as fs

from tfdual._optional import require

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
DELTA_LOG = "_delta_log"


@dataclass(frozen=True)
class Files:
    """Files of one format in one file system.

    Args:
        name: str. What the user gave, for messages.
        paths: sequence of str, sorted.
        system: pyarrow.fs.FileSystem that opens them.
        prefix: str. What stands before a path in messages, e.g. `s3://`.
        root: str. The directory that was given; empty for a file or glob.
    """

    name: str
    paths: Sequence[str]
    system: fs.FileSystem
    prefix: str = ""
    root: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the files lie on this machine."""
        return isinstance(self.system, fs.LocalFileSystem)

    def label(self, path: str) -> str:
        """The path as messages name it."""
        return f"{self.prefix}{path}"

    def open(self, path: str) -> pa.NativeFile:
        """A stream of bytes, unpacked where the name ends in .gz, .bz2, .zst or .lz4."""
        return self.system.open_input_stream(path, compression="detect")


@contextmanager
def reading(label: str, wanted: str) -> Iterator[None]:
    """Say which file is wrong where Arrow says only what is wrong.

    Args:
        label: str. The file, as messages name it.
        wanted: str. How messages name the format.

    Raises:
        ValueError: the file is truncated, corrupt or of another format.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError, ConnectionError, TimeoutError):
        raise
    except (pa.ArrowInvalid, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ValueError(f"{label} can't be read as {wanted}: {reason}. Write it again, or name its format.") from error


def find_files(source: str, suffixes: Sequence[str], wanted: str, options: Mapping[str, Any] | None = None) -> Files:
    """Resolve a path, a directory or a glob.

    Of a directory, files and folders whose names begin with "." or "_" are left out; those of partitions such as
    `_day=3` are not. Links to folders are followed, and no folder is read twice.

    Args:
        source: str. A local path, or a URL such as `s3://bucket/rows/*.parquet`.
        suffixes: endings of the files to take from a directory, e.g. `(".parquet",)`.
        wanted: str. How messages name the format.
        options: for the remote file system, e.g. `{"endpoint_url": ...}`. Defaults to none.

    Raises:
        FileNotFoundError: there is nothing at that path.
        ValueError: options for a local path, or the directory is a Delta table.
        ImportError: the package for that kind of URL is not installed.
    """
    if protocol := re.match(r"([a-z][a-z0-9+.-]+)://", source):
        return _remote(source, protocol[1], suffixes, wanted, options)
    if options:
        raise ValueError(f"storage_options are for URLs such as s3://. Received {sorted(options)} for {source}.")
    path, root = Path(source), ""
    if path.is_dir():
        root = str(path)
        _refuse_delta(source, (path / DELTA_LOG).is_dir())
        found = sorted(str(file) for file in _files_below(path) if _is_one(file.name, suffixes) and file.is_file())
        problem = f"The directory {source} holds no {wanted} file (*{', *'.join(suffixes)})."
    elif path.exists():
        found, problem = [str(path)], ""
    else:
        found = sorted(file for file in glob.glob(source, recursive=True) if Path(file).is_file())
        problem = f"There is no file, directory or glob match {source}."
    if not found:
        raise FileNotFoundError(f"{problem} Give the path of a file, a directory of them, or a glob.")
    return Files(source, found, fs.LocalFileSystem(), root=root)


def _remote(
    source: str, protocol: str, suffixes: Sequence[str], wanted: str, options: Mapping[str, Any] | None
) -> Files:
    fsspec = require("fsspec", extra=EXTRAS.get(protocol, "s3"))
    try:
        system, path = fsspec.core.url_to_fs(source, **(options or {}))
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        advice = f'Install it with `pip install "tfdual[{extra}]"`.' if extra else "Install fsspec's package for it."
        raise ImportError(f"{protocol}:// needs a package that is not installed ({error}). {advice}") from error
    except ValueError as error:
        raise ValueError(f"{source}: {error}. Use a path, s3://, gs:// or another protocol of fsspec.") from error
    root, found = "", []
    with suppress(FileNotFoundError):  # Some stores say so where a bucket is missing, others list nothing.
        if any(letter in path for letter in "*?["):
            found = [each for each in system.glob(path) if not system.isdir(each)]
        elif system.isfile(path):
            found = [path]
        else:
            root = path
            below = {each: each.removeprefix(path).strip("/").split("/") for each in system.find(path)}
            _refuse_delta(source, any(folder == DELTA_LOG for folder, *_ in below.values()))
            found = [
                each
                for each, (*folders, name) in below.items()
                if _is_one(name, suffixes) and not any(map(_is_hidden, folders))
            ]
    if not found:
        raise FileNotFoundError(
            f"There is no {wanted} file (*{', *'.join(suffixes)}) at {source}. Check bucket and path, and the right to "
            "list it. Give the path of a file, a directory of them, or a glob."
        )
    return Files(source, sorted(found), fs.PyFileSystem(fs.FSSpecHandler(system)), f"{protocol}://", root)


def _refuse_delta(source: str, is_delta: bool) -> None:
    if is_delta:
        raise ValueError(
            f"{source} is a Delta table, whose Parquet files also hold rows that were deleted or replaced. Read it "
            "with the package deltalake, `DeltaTable(path).to_pyarrow_table()`, and give that table."
        )


def _files_below(root: Path) -> Iterator[Path]:
    """The files of a folder and of those below that aren't hidden; a link to one of these leads to nothing new."""
    seen = set(root.resolve().parents)
    waiting = [root]
    for start in waiting:
        for folder, folders, names in os.walk(start):
            path = Path(folder)
            if (real := path.resolve()) in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not _is_hidden(name))
            waiting += [path / name for name in folders if (path / name).is_symlink()]
            yield from (path / name for name in names)


def _is_hidden(folder: str) -> bool:
    """Whether a folder is none of the data, as Spark tells it: `_temporary` and `.ipynb_checkpoints`, not `_day=3`."""
    return folder.startswith(".") or (folder.startswith("_") and "=" not in folder)


def _is_one(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a file of a directory is data; hidden files and markers such as _SUCCESS are not."""
    for packed in COMPRESSED:
        name = name.removesuffix(packed)
    return name.endswith(tuple(suffixes)) and not name.startswith((".", "_"))
