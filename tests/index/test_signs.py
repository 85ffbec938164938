import numpy as np
import pytest

from tfdual.index.signs import packed, unpacked


@pytest.mark.parametrize("dim", [1, 7, 8, 9, 64])
def test_signs_come_back_in_their_order(dim: int) -> None:
    rows = np.random.default_rng(0).normal(size=(11, dim)).astype(np.float32)
    rows[3, 0] = 0.0
    bits = packed(rows)
    assert bits.shape == (11, -(-dim // 8))
    found = unpacked(np.ascontiguousarray(bits.T), dim).numpy()
    np.testing.assert_array_equal(found, [[1.0 if number > 0 else -1.0 for number in row] for row in rows.T.tolist()])
