"""Bytes of any encoding as UTF-8, a block at a time; what can't be decoded is marked and goes on."""

import codecs

import numpy as np
import pyarrow as pa

MARK = "\U0010ffff"
"""Unicode keeps it free of meaning, so no text holds it."""


def _marked(error: UnicodeError) -> tuple[str, int]:
    """Every byte that can't be decoded, as the mark and two digits."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(f"{MARK}{byte:02x}" for byte in error.object[error.start : error.end]), error.end


codecs.register_error("tfdual.marked", _marked)


class ToUtf8:
    """A function of the next bytes of a stream that gives them as UTF-8; no bytes are its end.

    Args:
        encoding: str. The encoding of the stream.

    Attributes:
        has_marked: bool. Whether something couldn't be decoded yet.
    """

    def __init__(self, encoding: str) -> None:
        self._is_utf8 = codecs.lookup(encoding).name == "utf-8"
        self._decoder = codecs.getincrementaldecoder(encoding)("tfdual.marked")
        self.has_marked = False

    def __call__(self, data: pa.Buffer) -> pa.Buffer | bytes:
        """The next bytes as UTF-8; as they are, where they are whole characters of it."""
        left_over, _ = self._decoder.getstate()
        if self._is_utf8 and not left_over and _is_utf8(data):
            return data
        text = self._decoder.decode(bytes(data), final=not len(data))
        self.has_marked |= MARK in text
        return text.encode()


def _is_utf8(data: pa.Buffer) -> bool:
    """Whether it is valid; Arrow tells ten times faster than decoding does."""
    ends = pa.py_buffer(np.array([0, len(data)], np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, ends, data).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def shown(text: str | bytes) -> str:
    """Marked text for people: each byte that couldn't be decoded as `\\xNN`."""
    return (text if isinstance(text, str) else text.decode()).replace(MARK, "\\x")
