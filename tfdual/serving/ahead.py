"""Values that another thread makes while earlier ones are used."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Value = TypeVar("Value")
END: Any = object()


@contextmanager
def ahead(values: Iterator[Value], count: int) -> Iterator[Iterator[Value]]:
    """The same values in the same order, at most `count` of them made before they are asked for."""
    with ThreadPoolExecutor(1) as pool:

        def taken() -> Iterator[Value]:
            coming: deque[Future[Value]] = deque(pool.submit(next, values, END) for _ in range(count))
            while (value := coming.popleft().result()) is not END:
                coming.append(pool.submit(next, values, END))
                yield value

        yield taken()
