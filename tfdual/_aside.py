"""Folders written aside, so that nobody sees half of one."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def made_aside(aside: Path) -> Iterator[None]:
    """Make the folder `aside`, for the block to fill and rename.

    If the block fails, the folder goes again, and so do the folders above it that had to be made.
    """
    made = [path for path in aside.parents if not path.exists()]
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        aside.mkdir()
        yield
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            for path in made:
                path.rmdir()
        raise
