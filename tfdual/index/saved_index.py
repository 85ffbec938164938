"""An index as a folder of plain files."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfdual._aside import read_content

KIND = "index"


def read_index(folder: Path, kinds: Mapping[str, Any]) -> Any:
    """A saved index.

    Args:
        folder: path.
        kinds: mapping of name -> class of index.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no index of these kinds, or a damaged one.
    """
    content = read_content(folder, KIND)
    kind = str(content.get("kind"))
    if kind not in kinds:
        raise ValueError(f"{folder} holds an index of kind {kind!r}. Known are {sorted(kinds)}.")
    try:
        return kinds[kind](**content["config"])._restore(folder, content)
    except (OSError, LookupError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"The index in {folder} is damaged: {error}. Save it again.") from error
