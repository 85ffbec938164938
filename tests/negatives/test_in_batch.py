"""InBatch: it draws nothing, and says how often an item is expected."""

import numpy as np
import pytest

from tests.negatives.toy import batch
from tfdual.negatives import InBatch


def test_it_draws_nothing_and_includes_the_batch() -> None:
    source = InBatch(hardest=3)
    assert source.draw(batch([1, 2])) is None
    assert source.includes_batch
    assert source.hardest == 3
    assert InBatch().hardest is None


def test_count_is_the_batch_times_the_probability() -> None:
    found = InBatch().log_count(np.array([1, 2]), np.log([0.25, 0.001]).astype("float32"), 400)
    np.testing.assert_allclose(np.exp(found), [100, 0.4], rtol=1e-5)


def test_alone_its_correction_is_the_log_probability_up_to_a_constant() -> None:
    probability = np.array([0.5, 0.1, 0.001])
    extra, own = InBatch().candidates(batch([1, 2, 3], np.log(probability)))
    assert extra is None
    np.testing.assert_allclose(own, np.log(3 * probability), rtol=1e-5)


def test_without_a_log_probability_there_is_no_correction() -> None:
    assert InBatch().candidates(batch([1, 2])) == (None, None)


@pytest.mark.parametrize("hardest", [0, -2])
def test_hardest_below_one_is_refused(hardest: int) -> None:
    with pytest.raises(ValueError, match=f"hardest is at least 1, or None.*Received {hardest}"):
        InBatch(hardest)
