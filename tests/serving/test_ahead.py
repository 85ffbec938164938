"""Values that are made by another thread."""

import threading
import time
from collections.abc import Iterator

import pytest

from tfdual.serving.ahead import ahead


def test_values_keep_their_order_and_are_made_by_another_thread() -> None:
    threads = set()

    def squares() -> Iterator[int]:
        for number in range(50):
            threads.add(threading.get_ident())
            yield number * number

    with ahead(squares(), 3) as values:
        assert list(values) == [number * number for number in range(50)]
    assert threading.get_ident() not in threads


def test_no_more_are_made_ahead_than_asked_for() -> None:
    made = []
    with ahead((made.append(number) or number for number in range(100)), 3) as values:
        assert next(values) == 0
        time.sleep(0.1)
        assert len(made) <= 1 + 3
    assert len(made) <= 1 + 3


def test_an_error_comes_where_its_value_would() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with ahead(broken(), 2) as values:
        assert next(values) == 1
        with pytest.raises(OSError, match="gone"):
            next(values)
