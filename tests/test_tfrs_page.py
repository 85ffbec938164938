"""docs/tfrs.md holds every public class of TensorFlow Recommenders, names that are here, and tests that exist."""

import ast
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "tfrs.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
CODE = re.compile(r"`([^`]+)`")
NAMED = {name for row in ROWS for name in CODE.findall(row[0])}
ARGUMENTS = [
    ("tasks/retrieval.py", "Retrieval", ["__init__", "call"]),
    ("metrics/factorized_top_k.py", "FactorizedTopK", ["__init__"]),
    ("layers/factorized_top_k.py", "BruteForce", ["__init__"]),
    ("layers/factorized_top_k.py", "Streaming", ["__init__"]),
    ("layers/factorized_top_k.py", "ScaNN", ["__init__"]),
]


@pytest.fixture(scope="module")
def package() -> Path:
    """The folder of TensorFlow Recommenders, which can't be imported without legacy Keras, and needn't be."""
    spec = importlib.util.find_spec("tensorflow_recommenders")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def classes(path: Path) -> dict[str, ast.ClassDef]:
    nodes = ast.parse(path.read_text()).body
    return {node.name: node for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def test_every_public_class_stands_on_the_page_under_its_module(package: Path) -> None:
    sources = [path for path in package.rglob("*.py") if not path.name.endswith("_test.py")]
    found = {
        (path.relative_to(package).parts[0].removesuffix(".py"), name) for path in sources for name in classes(path)
    }
    assert len(found) >= 20
    here = {(name.split(".")[0], name.split(".")[-1]) for name in NAMED}
    assert found - here == set()


@pytest.mark.parametrize(("path", "name", "functions"), ARGUMENTS, ids=lambda value: str(value))
def test_every_argument_of_retrieval_stands_on_the_page(
    package: Path, path: str, name: str, functions: list[str]
) -> None:
    made = {node.name: node for node in classes(package / path)[name].body if isinstance(node, ast.FunctionDef)}
    arguments = {argument.arg for function in functions for argument in made[function].args.args} - {"self"}
    assert arguments - NAMED == set()


def test_every_method_of_an_index_stands_on_the_page(package: Path) -> None:
    body = classes(package / "layers" / "factorized_top_k.py")["TopK"].body
    methods = {node.name for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
    assert methods - NAMED == set()


def test_names_of_ours_exist() -> None:
    ours = {name.split("(")[0] for row in ROWS for name in CODE.findall(row[1]) if name.startswith("tfdual.")}
    assert len(ours) > 20
    for name in ours:
        parts = name.split(".")
        depth = 2 if len(parts) > 2 and parts[1].islower() else 1
        member = importlib.import_module(".".join(parts[:depth]))
        for part in parts[depth:]:
            member = getattr(member, part)


def test_tests_of_the_page_exist() -> None:
    found = [name for row in ROWS for name in CODE.findall(row[-1]) if name.startswith("tests/")]
    assert len(found) > 25
    for name in found:
        path, _, function = name.partition("::")
        tree = ast.parse((REPOSITORY / path).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_rows_without_a_test_say_why() -> None:
    untested = [row for row in ROWS if len(row) == 3 and not row[2] and not row[1].startswith("not here")]
    assert [row[0] for row in untested] == ["`name`", "`types.Activation`"]
