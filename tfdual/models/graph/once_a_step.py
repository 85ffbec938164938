"""What a step computes once, though several parts of it ask."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class OnceAStep(threading.local):
    """Keeps a tensor from the first who asks for it until the step ends; each replica, a thread, has its own.

    A step is what runs, or is traced, inside `with once.step():`. Outside of one nothing is kept.
    """

    def __init__(self) -> None:
        self._open = False
        self._kept: Any = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step; inside of another it is a part of that."""
        if self._open:
            yield
            return
        self._open = True
        try:
            yield
        finally:
            self._open, self._kept = False, None

    def get(self, make: Callable[[], Any]) -> Any:
        """What was kept, or is made now."""
        if not self._open:
            return make()
        if self._kept is None:
            self._kept = make()
        return self._kept
