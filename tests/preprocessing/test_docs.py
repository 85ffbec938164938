"""The guide names every transform."""

from pathlib import Path

from tfdual import preprocessing

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "preprocessing.md"


def test_the_guide_names_every_transform() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    named = set(preprocessing.__all__) - {"Chain", "NGrams", "Preprocessor", "Transform"}
    assert [name for name in sorted(named) if f"| `{name}(" not in text] == []
