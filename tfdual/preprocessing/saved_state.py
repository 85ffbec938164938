"""What was learned, on disk: JSON that can be read, and Parquet for tables."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FORMAT = "tfdual.preprocessor"
VERSION = 1
FILE = "preprocessor.json"


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write `preprocessor.json`, and a Parquet file for each table in it."""
    tables: list[pa.Table] = []
    plain = {"format": FORMAT, "version": VERSION, **content, "state": _without_tables(content["state"], tables)}
    for i, table in enumerate(tables):
        pq.write_table(table, folder / f"{i}.parquet")
    (folder / FILE).write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """Read what `write` wrote.

    Raises:
        FileNotFoundError: there is no such folder, or a file of it is gone.
        ValueError: a file is damaged, of another format, or of another version.
    """
    if not (folder / FILE).is_file():
        what = f"{folder} holds no {FILE}" if folder.is_dir() else f"There is no folder {folder}"
        raise FileNotFoundError(f"{what}. Give a folder that `Preprocessor.save` wrote.")
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{folder / FILE} is damaged: {error}. Save the preprocessor again.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{folder / FILE} is not of format {FORMAT}. Give a folder that `Preprocessor.save` wrote.")
    if content.get("version") != VERSION:
        raise ValueError(
            f"This release reads version {VERSION} of {FORMAT}. {folder / FILE} has {content.get('version')!r}. "
            "Load it with the release that wrote it."
        )
    if missing := sorted({"config", "state"} - set(content)):
        raise ValueError(f"{folder / FILE} is damaged: it lacks {missing}. Save the preprocessor again.")
    return content | {"state": _with_tables(content["state"], folder)}


def fingerprint(content: dict[str, Any]) -> bytes:
    """A SHA-256 of what `write` would write: equal where it is equal, also after it was read."""
    tables: list[pa.Table] = []
    plain = json.dumps(_without_tables(content, tables), sort_keys=True)
    digest = hashlib.sha256(plain.encode())
    for table in tables:
        for name in table.column_names:
            digest.update(name.encode())
            _add_values(digest, table.column(name).combine_chunks())
    return digest.digest()


def _add_values(digest: Any, values: pa.Array) -> None:
    if pa.types.is_binary(values.type) or pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = values.cast(pa.large_binary())
    if pa.types.is_large_binary(values.type):
        _, offsets, data = values.buffers()
        places = np.frombuffer(offsets, np.int64, len(values) + 1, 8 * values.offset)
        digest.update(places - places[0])
        digest.update(memoryview(data)[places[0] : places[-1]] if data else b"")
    else:
        digest.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=False)))


def _without_tables(state: Any, tables: list[pa.Table]) -> Any:
    if isinstance(state, pa.Table):
        tables.append(state)
        return {"parquet": f"{len(tables) - 1}.parquet", "rows": state.num_rows}
    if isinstance(state, dict):
        return {name: _without_tables(part, tables) for name, part in state.items()}
    return state


def _with_tables(state: Any, folder: Path) -> Any:
    if not isinstance(state, dict):
        return state
    if set(state) != {"parquet", "rows"}:
        return {name: _with_tables(part, folder) for name, part in state.items()}
    path = folder / state["parquet"]
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing. Copy the folder as a whole, or save the preprocessor again.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}. Save the preprocessor again.") from error
    if table.num_rows != state["rows"]:
        raise ValueError(f"{path} has {table.num_rows} rows instead of {state['rows']}. Save the preprocessor again.")
    return table
