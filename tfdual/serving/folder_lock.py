"""Locks of folders: they need no file of their own, and end with the process that holds them."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(folder: Path, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold `flock` on a folder while the block runs.

    The lock is that of the folder itself, not of its name: it stays when the folder is renamed.

    Args:
        folder: path.
        shared: bool. Beside other shared locks, instead of alone. Defaults to `False`.
        wait: bool. Wait for who holds it. Defaults to `True`.

    Raises:
        FileNotFoundError: there is no such folder, or it went while this waited.
        BlockingIOError: another holds it, and `wait` is false.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        if not os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held_for_reading(find: Callable[[], Path]) -> Iterator[Path]:
    """Hold a shared lock on the folder that `find` gives; where that goes before it is held, `find` is asked again."""
    with contextlib.ExitStack() as held:
        folder = None
        while folder is None:
            found = find()
            with contextlib.suppress(FileNotFoundError):
                held.enter_context(locked(found, shared=True))
                folder = found
        yield folder
