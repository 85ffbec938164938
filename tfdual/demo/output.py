"""The folder that a demo leaves: whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfdual._aside import made_aside

REPORT = "report.json"


def check_output(out: Path, overwrite: bool) -> None:
    """Refuse, before any work, a folder that can't be written or would be lost.

    Raises:
        FileExistsError: `out` exists, and is not a demo's output that may be overwritten.
        NotADirectoryError: a file stands where a folder is needed.
        PermissionError: the folder above can't be written.
    """
    if out.exists() and not (overwrite and (out / REPORT).is_file()):
        advice = "it is no demo's output" if overwrite else "pass --overwrite to replace a demo's output"
        raise FileExistsError(f"The output directory {out} exists: {advice}. Or name another with --out.")
    above = next(parent for parent in out.absolute().parents if parent.exists())
    if not above.is_dir():
        raise NotADirectoryError(f"{above} is a file, so {out} can't be made. Name another directory with --out.")
    if not os.access(above, os.W_OK):
        raise PermissionError(f"{above} can't be written. Name another directory with --out.")


@contextmanager
def written_aside(out: Path) -> Iterator[Path]:
    """A folder beside `out` that becomes `out` at the end, or vanishes if the block fails.

    An earlier demo's output gives way; anything else that has come to be at `out` meanwhile stays.

    Raises:
        OSError: `out` exists and is no demo's output, or the folder can't be written.
    """
    aside, old = (out.parent / f".{word}-{out.name}-{os.getpid()}" for word in ("writing", "replaced"))
    try:
        with made_aside(aside):
            yield aside
            if (out / REPORT).is_file():
                out.rename(old)
            aside.rename(out)
    finally:
        shutil.rmtree(old, ignore_errors=True)
