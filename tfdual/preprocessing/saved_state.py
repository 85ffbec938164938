"""What was learned, on disk: JSON that can be read, and Parquet for tables."""

import json
from pathlib import Path
from typing import Any

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
