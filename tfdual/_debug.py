"""Debug mode: checks that cost time, e.g. of every id against its table."""

import os

_enabled = os.environ.get("TFDUAL_DEBUG", "") == "1"


def set_debug(enabled: bool) -> None:
    """Turn debug mode on or off. The environment variable `TFDUAL_DEBUG=1` turns it on from the start.

    It is read when a function is traced: turn it on before `fit` or the first call of a `tf.function`.
    """
    global _enabled
    _enabled = bool(enabled)


def is_debug() -> bool:
    """Whether debug mode is on."""
    return _enabled
