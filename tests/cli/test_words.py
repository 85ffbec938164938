"""Advice on the command line names options, and no arguments of functions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tfdual
from tfdual.cli.words import in_options
from tfdual.evaluation.corpus import Corpus
from tfdual.serving import Canary
from tfdual.serving.corpus_columns import require_different

PYTHON = ["CsvFormat", "csv=", "read(", "{'", "`", "min_recall", "max_latency_ms", "target_recall"]

TWICE = np.array([7, 7])
ADVICE = [
    (lambda: Canary({"user": [1]}, min_recall=2), "--min-recall is a share"),
    (lambda: Canary({"user": [1]}, max_latency_ms=0), "--max-latency-ms is positive"),
    (lambda: tfdual.ScaNN(target_recall=2.0), "--target-recall is in (0, 1]"),
    (lambda: require_different(TWICE, "book"), "Keep one row of each."),
    (lambda: Corpus(TWICE, "book"), "Keep one row of each."),
]


@pytest.mark.parametrize(("raise_it", "part"), ADVICE, ids=[part for _, part in ADVICE])
def test_what_functions_raise_is_told_in_options(raise_it: Callable[[], object], part: str) -> None:
    with pytest.raises(ValueError, match="Received|must differ") as raised:
        raise_it()
    told = in_options(str(raised.value))
    assert part in told
    assert [word for word in PYTHON if word in told] == []


SCHEMA = tfdual.Schema(
    [tfdual.ColumnSchema("user", [tfdual.Tags.USER_ID]), tfdual.ColumnSchema("title", dtype="string")]
)
FILES = [
    (b"user,title\n1,caf\xe9\n", "--encoding latin-1"),
    (b"us\xff\x00er,title\n1,a\n", "--encoding latin-1"),
    (b"user,title\n1,a,b\n", "names, name one that none holds, --separator '\\t'; where quotes inside the fields"),
    (b"user,title\n1,a,b\n", "pass --escape '\\'; and where they are text like any other, --no-quotes"),
    (b"user,title\n1,\n", 'allow it with the property "nullable" in the schema'),
]


@pytest.mark.parametrize(("content", "part"), FILES)
def test_what_is_wrong_with_a_file_is_told_in_options(run_tfdual, tmp_path: Path, content: bytes, part: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    SCHEMA.save(tmp_path / "schema.json")
    finished = run_tfdual("validate", tmp_path / "rows.csv", "--schema", tmp_path / "schema.json")
    told = finished.out + finished.err
    assert part in told
    assert [word for word in PYTHON if word in told] == []
