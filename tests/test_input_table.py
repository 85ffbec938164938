"""docs/input.md names a test for every source, rule and transform, and those tests exist."""

import re
from pathlib import Path

import pytest

from tfdual import preprocessing
from tfdual.data.faults import RULES
from tfdual.data.open_source import FORMATS
from tfdual.preprocessing import Transform

REPOSITORY = Path(__file__).resolve().parents[1]
TABLE = (REPOSITORY / "docs" / "input.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| (source|rule|transform) \| (.+?) \| (.+?) \|$", TABLE, re.M)


def listed(kind: str) -> set[str]:
    return {name.strip("`") for each, name, _ in LINES if each == kind}


def test_every_source_is_listed() -> None:
    others = {"pandas", "polars", "dict of arrays", "Arrow table", "SQLite", "PostgreSQL", "s3://", "gs://"}
    others |= {"feature maps"}
    assert listed("source") == set(FORMATS) | others


def test_every_rule_is_listed() -> None:
    assert listed("rule") == set(RULES)


def test_every_transform_is_listed() -> None:
    classes = [getattr(preprocessing, name) for name in preprocessing.__all__]
    transforms = {each.__name__ for each in classes if isinstance(each, type) and issubclass(each, Transform)}
    assert listed("transform") == transforms - {"Transform"}


@pytest.mark.parametrize("name, test", [(name, test) for _, name, tests in LINES for test in tests.split(", ")])
def test_the_named_test_exists(name: str, test: str) -> None:
    file, _, function = test.strip("`").partition("::")
    assert f"def {function}(" in (REPOSITORY / "tests" / file).read_text(encoding="utf-8"), name
