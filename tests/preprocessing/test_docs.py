"""The guide's examples run, and it names every transform."""

import doctest
from pathlib import Path

from tfdual import preprocessing

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "preprocessing.md"


def test_the_examples_of_the_guide_run() -> None:
    result = doctest.testfile(str(GUIDE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 10
    assert result.failed == 0


def test_the_guide_names_every_transform() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    named = set(preprocessing.__all__) - {"Chain", "NGrams", "Preprocessor", "Transform"}
    assert [name for name in sorted(named) if f"| `{name}(" not in text] == []
