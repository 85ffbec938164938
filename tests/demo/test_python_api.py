"""What the demo reads from source files, and how it holds queries out."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tfdual.demo import python_api
from tfdual.demo.docstrings import clean_markup, split_docstring

NORM = '''
import os


def norm(x, ord=None, *, axis=-1):
    """
    norm(x, ord=None)

    Matrix or vector :func:`~linalg.norm`, e.g. the ``2-norm``.

    Returns one of many norms.
    """
    total = x
    return total


def _hidden():
    """Return what nobody should see."""


def undocumented():
    pass
'''
SHAPES = '''
class HTTPShape:
    """Describe a shape of the web.

    Longer text.
    """

    def __init__(self, width, *heights, unit="m", **options):
        """Create it from the outside."""

    @staticmethod
    def of_area(area):
        """Make a shape of some area."""

    async def grow(self, factor=2):
        """Make the shape somewhat larger."""

    def __len__(self):
        """Return the number of corners."""
'''


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "stdlib").mkdir()
    paths = {"stdlib": str(tmp_path / "stdlib"), "purelib": str(folder), "platlib": str(folder)}
    monkeypatch.setattr("sysconfig.get_paths", lambda: paths)
    return folder


def rows(packages: list[str] | None = None) -> dict[str, dict]:
    return {row["symbol"]: row for row in python_api.collect_symbols(packages).to_pylist()}


def documented(name: str, sentence: str = "Return something useful here.") -> str:
    return f'def {name}():\n    """{sentence}"""\n'


def table(summaries: list[str]) -> pa.Table:
    return pa.table({"symbol": [f"s{i}" for i in range(len(summaries))], "summary": summaries})


def test_a_function_becomes_one_row_with_what_its_source_says(site: Path) -> None:
    write(site, {"maths/__init__.py": "", "maths/linalg.py": NORM})
    assert rows() == {
        "maths.linalg.norm": {
            "symbol": "maths.linalg.norm",
            "name_words": "maths linalg norm",
            "package": "maths",
            "module": "maths.linalg",
            "kind": "function",
            "parameters": ["x", "ord", "axis"],
            "num_parameters": 3.0,
            "num_defaults": 2.0,
            "num_doc_words": 5.0,
            "num_lines": 2.0,
            "description": "Returns one of many norms.",
            "summary": "Matrix or vector linalg.norm, e.g. the 2-norm",
        }
    }


def test_a_class_takes_the_parameters_of_its_init_and_methods_lose_self(site: Path) -> None:
    write(site, {"shapes.py": SHAPES})
    found = rows()
    assert {symbol: (row["kind"], row["parameters"]) for symbol, row in found.items()} == {
        "shapes.HTTPShape": ("class", ["width", "heights", "unit", "options"]),
        "shapes.HTTPShape.of_area": ("method", ["area"]),
        "shapes.HTTPShape.grow": ("method", ["factor"]),
    }
    assert found["shapes.HTTPShape.of_area"]["name_words"] == "shapes http shape of area"


def test_a_re_exported_name_is_shown_as_people_import_it(site: Path) -> None:
    write(
        site,
        {
            "pkg/__init__.py": "if True:\n    from ._core import stacked\nfrom pkg import ops as ops\n",
            "pkg/_core/__init__.py": "from .numeric import *\n",
            "pkg/_core/numeric.py": "__all__ = ['stacked']\n__all__ += ['sum_up']\n"
            + documented("stacked", "Stack things onto others.")
            + documented("sum_up", "Sum things up quickly.")
            + documented("left_out", "Leave a thing out."),
            "pkg/ops/__init__.py": "from pkg.src.deep import dot_v2 as dot\nfrom pkg._core import sum_up\n",
            "pkg/src/__init__.py": "",
            "pkg/src/deep.py": documented("dot_v2", "Multiply two long vectors."),
        },
    )
    assert list(rows()) == ["pkg.ops.dot", "pkg.ops.sum_up", "pkg.stacked"]  # `left_out` has no public name


def test_a_private_module_is_named_by_its_public_neighbour(site: Path) -> None:
    write(site, {"check/__init__.py": "from _check.api import approx\n", "_check/__init__.py": ""})
    write(site, {"_check/api.py": documented("approx") + documented("inner", "Do some inner work.")})
    assert list(rows(["check"])) == ["check.approx"]


def test_another_packages_names_are_not_claimed(site: Path) -> None:
    write(site, {"a/__init__.py": "from zlong.names import helper\n", "zlong/names.py": documented("helper")})
    assert list(rows()) == ["zlong.names.helper"]


def test_an_import_cycle_ends(site: Path) -> None:
    write(
        site,
        {"a/__init__.py": "from a.b import *\nfrom a.b import f\n", "a/b.py": "from a import *\nfrom a import f\n"},
    )
    write(site, {"a/c.py": documented("f")})
    assert list(rows()) == ["a.c.f"]


def test_tests_copies_generated_and_broken_files_are_left_out(site: Path) -> None:
    ignored = ["tests/x.py", "_vendor/x.py", "pkg.dist-info/x.py", "gen_ops.py", "test_x.py", "x_test.py"]
    write(site, {f"pkg/{path}": documented("ignored", "Ignore this very thing.") for path in ignored})
    write(site, {"pkg/__init__.py": "", "pkg/broken.py": "def f(:", "pkg/latin.py": "# -*- coding: no-such -*-"})
    write(site, {"pkg/large.py": documented("large") + "#" * 2_000_000, "pkg/fine.py": documented("fine")})
    assert list(rows()) == ["pkg.fine.fine"]


def test_nothing_is_executed(site: Path, tmp_path: Path) -> None:
    write(site, {"pkg.py": f"open({str(tmp_path / 'made')!r}, 'w')\n" + documented("f")})
    assert list(rows()) == ["pkg.f"]
    assert not (tmp_path / "made").exists()


def test_docs_that_numpy_adds_to_c_functions_are_found(site: Path) -> None:
    docs = """add_newdoc("np._core", "arange", 'arange(stop, step=1)\\n--\\n\\nReturn evenly spaced values.')"""
    write(
        site, {"np/__init__.py": "from ._core import arange\n", "np/_core/__init__.py": "", "np/_core/_docs.py": docs}
    )
    row = rows()["np.arange"]
    assert (row["summary"], row["parameters"], row["kind"]) == (
        "Return evenly spaced values",
        ["stop", "step"],
        "function",
    )


def test_same_last_name_and_sentence_stay_once_a_package_under_the_shortest_name(site: Path) -> None:
    write(site, {"pkg/a.py": documented("f"), "pkg/longer.py": documented("f"), "pkg/b.py": documented("g")})
    write(site, {"other/longest.py": documented("f")})
    assert list(rows()) == ["other.longest.f", "pkg.a.f", "pkg.b.g"]


def test_progress_ends_at_the_number_of_files(site: Path) -> None:
    write(site, {"pkg/a.py": "", "pkg/b.py": "", "other.py": ""})
    calls: list[tuple[int, int]] = []
    python_api.collect_symbols(progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_an_unknown_package_is_named_with_its_neighbours(site: Path) -> None:
    write(site, {"numbers_here.py": documented("f")})
    with pytest.raises(ValueError, match=r"number_here.*numbers_here"):
        python_api.collect_symbols(["number_here"])
    with pytest.raises(TypeError, match="list of names"):
        python_api.collect_symbols("numbers_here")


def test_the_standard_library_has_its_known_names() -> None:
    symbols = rows(["collections", "json", "os", "shutil"])
    assert {"collections.Counter", "collections.OrderedDict", "json.dumps", "os.path.join", "shutil.copytree"} <= set(
        symbols
    )
    assert symbols["json.dumps"]["summary"] == "Serialize obj to a JSON formatted str"


@pytest.mark.parametrize(
    "docstring",
    [
        "",
        "Two words.",
        "f(x, y=1) -> int",
        "See the base class.",
        ":param x: is a thing",
        "== 1 2 3 4 5 ==",
        "word " * 41,
    ],
)
def test_a_first_sentence_that_describes_nothing_is_dropped(docstring: str) -> None:
    assert split_docstring(docstring) is None


def test_the_first_sentence_never_returns_in_the_description() -> None:
    text = split_docstring("Return the name.  Also:\n\nreturn THE\n``name``! Return return the name the name. End.")
    assert text is not None
    assert (text.summary, text.description) == ("Return the name", "Also: End.")


def test_an_abbreviation_or_a_version_ends_no_sentence() -> None:
    text = split_docstring("Read a file, e.g. A.txt of version 3.11 or later.\nThen close it.")
    assert text is not None
    assert (text.summary, text.description) == ("Read a file, e.g. A.txt of version 3.11 or later", "Then close it.")


def test_a_section_without_blank_line_is_no_part_of_the_first_sentence() -> None:
    text = split_docstring("Return the sum of two\n    numbers\n    Args:\n      x: the first")
    assert text is not None
    assert (text.summary, text.description) == ("Return the sum of two numbers", "Args: x: the first")


def test_markup_goes_and_its_text_stays() -> None:
    raw = "A :class:`~a.B`, :ref:`this <that>`, ``c``, `d`_, **bold**, *slanted*, [link](http://x.y), 2 * x * y, a_b."
    assert clean_markup(raw) == "A a.B, this, c, d, bold, slanted, link, 2 * x * y, a_b."


def test_symbols_with_one_first_sentence_stay_on_one_side() -> None:
    summaries = [
        ("Read it all" if i % 2 else "READ it all") if i % 10 == 0 else f"sentence {i // 3}" for i in range(300)
    ]
    train, test = python_api.split_symbols(table(summaries), held_out=0.2, seed=1)
    sides = [{text.lower() for text in side["summary"].to_pylist()} for side in (train, test)]
    assert not sides[0] & sides[1]
    assert train.num_rows + test.num_rows == 300
    assert 50 <= test.num_rows <= 60


def test_the_split_depends_on_the_seed_alone() -> None:
    symbols = table([f"sentence {i}" for i in range(1000)])
    first, again, other = (python_api.split_symbols(symbols, seed=seed)[1]["symbol"].to_pylist() for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == 100


@pytest.mark.parametrize("held_out", [0.0, 1.0, 10])
def test_a_share_outside_0_and_1_is_refused(held_out: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        python_api.split_symbols(table(["a b c"]), held_out=held_out)


def test_a_query_lists_every_symbol_that_it_describes() -> None:
    queries = python_api.test_queries(table(["Open a file", "Close a file", "open a file"]))
    assert queries.to_pylist() == [
        {"summary": "Open a file", "relevant": ["s0", "s2"], "seen": []},
        {"summary": "Close a file", "relevant": ["s1"], "seen": []},
    ]


def test_item_text_holds_all_but_the_first_sentence(site: Path) -> None:
    write(site, {"maths/linalg.py": NORM})
    (text,) = python_api.item_text(python_api.collect_symbols())
    assert text == "maths linalg norm maths maths linalg function x ord axis Returns one of many norms."


@pytest.mark.slow
def test_this_environment_gives_thousands_of_symbols() -> None:
    symbols = python_api.collect_symbols()
    names = symbols["symbol"].to_pylist()
    assert len(names) >= 15_000
    assert len(set(names)) == len(names)
    assert {"numpy.linalg.norm", "numpy.median", "keras.layers.Dense", "tensorflow.data.Dataset.map"} <= set(names)
    pairs = zip(symbols["summary"].to_pylist(), symbols["description"].to_pylist(), strict=True)
    assert not [summary for summary, description in pairs if summary.lower() in description.lower()]
    assert np.isfinite(symbols["num_doc_words"].to_numpy()).all()
