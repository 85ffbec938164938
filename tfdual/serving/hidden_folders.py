"""Folders of a store that nobody reads: versions that are being written, or removed."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfdual.serving.folder_lock import locked
from tfdual.serving.manifest import flush_folder


@contextlib.contextmanager
def version_aside(store: Path) -> Iterator[Path]:
    """A hidden folder, for the block to fill and rename; if the block fails, it goes again.

    It is locked while the block runs, which tells it from one that a dead process left. Where the store had to be made
    and nothing comes of it, that goes too.
    """
    missing = [path for path in (store, *store.parents) if not path.exists()]
    store.mkdir(parents=True, exist_ok=True)
    aside = store / f".writing-{secrets.token_hex(4)}"
    with contextlib.ExitStack() as held:
        try:
            with locked(store):
                remove_leftovers(store)
                aside.mkdir()
                held.enter_context(locked(aside, shared=True))
            yield aside
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            with contextlib.suppress(OSError):
                for path in missing:
                    path.rmdir()
            raise
    for path in missing:
        flush_folder(path.parent)


def remove_leftovers(store: Path) -> None:
    """Remove what dead processes left, as far as this one may; the caller holds the lock of the store."""
    for left in (*store.glob(".writing-*"), *store.glob(".deleting-*")):
        if left.is_symlink() or not left.is_dir():
            left.unlink(missing_ok=True)
            continue
        with contextlib.suppress(BlockingIOError, FileNotFoundError), locked(left, wait=False):
            shutil.rmtree(left, ignore_errors=True)


def remove_version(path: Path) -> bool:
    """Remove a version, under a hidden name first; not while a process reads it. Of a link, the link alone goes.

    The caller holds the lock of the store.

    Returns:
        Whether it went.
    """
    hidden = path.with_name(f".deleting-{path.name}")
    try:
        with locked(path, wait=False):
            path.rename(hidden)
            flush_folder(hidden.parent)
            if hidden.is_symlink():
                hidden.unlink()
            else:
                shutil.rmtree(hidden)
    except BlockingIOError:
        return False
    return True
