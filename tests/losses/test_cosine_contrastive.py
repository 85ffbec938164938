"""The two sides of the cosine contrastive loss."""

import pytest

from tests.losses.loops import CASES, example
from tfdual.losses import cosine_contrastive


def test_by_hand() -> None:
    scores, labels = [[0.9, 0.5, 0.8, 0.6, -1.0]], [[1, 1, 0, 0, 0]]
    pull, push = (0.1 + 0.5) / 2, (0.1 + 0 + 0) / 3
    loss = cosine_contrastive(scores, labels, margin=0.7, negative_weight=6.0)
    assert float(loss) == pytest.approx(pull + 6 * push, rel=1e-5)


@pytest.mark.parametrize("options", [{"margin": -0.3}, {"negative_weight": 0.0}, {"margin": 1, "negative_weight": 150}])
def test_options_are_those_of_the_loop(options: dict) -> None:
    given = example()
    expected = CASES["cosine_contrastive"].expected(*given, **options)
    assert float(CASES["cosine_contrastive"](*given, **options)) == pytest.approx(expected, rel=1e-5)


def test_perfect_cosines_have_no_loss() -> None:
    assert float(cosine_contrastive([[1.0, 0.5, -1.0]], [[1, 0, 0]])) == 0


@pytest.mark.parametrize("options", [{"margin": 1.5}, {"margin": float("nan")}, {"negative_weight": -1.0}])
def test_option_out_of_range_is_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} needs to be"):
        cosine_contrastive([[1.0, 0.0]], [[1, 0]], **options)
