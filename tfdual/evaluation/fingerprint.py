"""What tells whether two evaluations asked the same queries."""

import hashlib

import numpy as np


class Fingerprint:
    """A hash of the scored queries' rows, their relevant ids and grades; the same for batches of any size."""

    def __init__(self) -> None:
        self._parts = [hashlib.blake2b(digest_size=16) for _ in range(3)]

    def update(self, rows: np.ndarray, ids: np.ndarray, grades: np.ndarray) -> None:
        """Take in pairs, by row and id: row of the query in the input, relevant id, grade."""
        text = b"".join(b"%d:%b" % (len(value), value) for value in ids) if ids.dtype == object else b""
        values = (rows.astype("<i8").tobytes(), text or ids.astype("<i8").tobytes(), grades.astype("<f8").tobytes())
        for part, value in zip(self._parts, values, strict=True):
            part.update(value)

    def hexdigest(self) -> str:
        """The hash, 32 hexadecimal digits."""
        return hashlib.blake2b(b"".join(part.digest() for part in self._parts), digest_size=16).hexdigest()
