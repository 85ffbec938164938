"""The floors of docs/architecture.md, and the shape of the files, read with `ast`; nothing of tfdual is imported."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "tfdual"
FLOORS = {
    "schema": 0,
    "fusion": 0,
    "losses": 0,
    "negatives": 0,
    "metrics": 0,
    "optimizers": 0,
    "interactions": 0,
    "index": 1,
    "blocks": 1,
    "data": 2,
    "preprocessing": 2,
    "features": 2,
    "graph": 2,
    "ranking": 2,
    "towers": 3,
    "models": 4,
    "tfrs": 4,
    "tailoring": 5,
    "evaluation": 6,
    "serving": 3,
    "scale": 6,
    "demo": 7,
    "cli": 8,
}
PRIVATE = -1
TOP = max(FLOORS.values()) + 1
LINES_AT_MOST = 300
NAMES_OF_NOTHING = {"base", "common", "helper", "helpers", "misc", "util", "utils"}
NOT_IN_SCHEMA = {"keras", "keras_hub", "tensorflow", "tensorflow_text"}


def test_every_import_goes_down() -> None:
    problems = [problem for path in files(PACKAGE) for problem in import_problems(PACKAGE, path)]
    assert not problems, "\n".join(problems)


def test_every_folder_has_a_floor_and_stands_in_the_architecture() -> None:
    folders = {path.relative_to(PACKAGE).parts[0] for path in files(PACKAGE) if path.parent != PACKAGE}
    assert folders - FLOORS.keys() == set()
    text = (REPOSITORY / "docs" / "architecture.md").read_text()
    assert [folder for folder in sorted(folders) if f"`{folder}/`" not in text] == []


def test_no_file_is_long_or_named_for_nothing() -> None:
    problems = [problem for path in files(PACKAGE) for problem in file_problems(path)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("losses/a.py", "from tfdual.models import TwoTowerModel", "imports tfdual.models"),
        ("losses/a.py", "import tfdual.models.two_tower as two_tower", "imports tfdual.models"),
        ("losses/a.py", "from tfdual import models", "imports tfdual.models"),
        ("losses/a.py", "from tfdual import TwoTowerModel", "imports tfdual itself"),
        ("serving/a.py", "import tfdual", "imports tfdual itself"),
        ("losses/a.py", "from ..models import TwoTowerModel", "relative"),
        ("data/a.py", "from tfdual.preprocessing import Preprocessor", "imports tfdual.preprocessing"),
        ("features/__init__.py", "from tfdual.towers import Tower", "imports tfdual.towers"),
        ("demo/a/b.py", "from tfdual.cli.main import main", "imports tfdual.cli"),
        ("_typing.py", "from tfdual.schema import Schema", "imports tfdual.schema"),
        ("_typing.py", "from tfdual._register import register", "imports tfdual._register"),
        ("schema/a.py", "import tensorflow as tf", "imports tensorflow"),
        ("schema/a.py", "from keras import ops", "imports keras"),
        ("schema/a.py", "from tfdual._register import register", "reaches keras"),
        ("index/a.py", "def search():\n    import scann", "inside a function"),
        ("index/a.py", "class Index:\n    def search(self):\n        from tfdual import _typing", "inside a function"),
        ("nowhere/a.py", "import os", "no floor"),
    ],
)
def test_a_planted_bad_import_is_reported(tmp_path: Path, path: str, source: str, complaint: str) -> None:
    package = planted(tmp_path, path, source)
    problems = import_problems(package, package / path)
    assert len(problems) == 1
    assert complaint in problems[0]
    assert problems[0].startswith(path)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("models/a.py", "import keras\nfrom tfdual.models.b import B\nfrom tfdual.towers import Tower"),
        ("losses/a.py", "from tfdual._typing import Tensor\nfrom tfdual import _register"),
        ("demo/a.py", "from tfdual import serving\nfrom tfdual.serving.retriever import Retriever"),
        ("cli/a.py", "from tfdual import Schema, demo\nimport tfdual"),
        ("demo/a.py", "import tfdual"),
        ("__init__.py", "from tfdual.cli import main\nfrom tfdual._typing import Tensor"),
        ("schema/a.py", "import json\nfrom tfdual._typing import Tensor"),
        ("index/a.py", "if True:\n    import scann\ntry:\n    import numpy\nfinally:\n    pass"),
    ],
)
def test_an_allowed_import_is_not_reported(tmp_path: Path, path: str, source: str) -> None:
    package = planted(tmp_path, path, source)
    assert import_problems(package, package / path) == []


@pytest.mark.parametrize(
    ("path", "lines", "complaint"),
    [
        ("losses/utils.py", 1, "named for nothing"),
        ("losses/_base.py", 1, "named for nothing"),
        ("common/__init__.py", 1, "named for nothing"),
        ("losses/a.py", LINES_AT_MOST + 1, f"{LINES_AT_MOST + 1} lines"),
    ],
)
def test_a_planted_bad_file_is_reported(tmp_path: Path, path: str, lines: int, complaint: str) -> None:
    package = planted(tmp_path, path, "x = 1\n" * lines)
    problems = file_problems(package / path)
    assert len(problems) == 1
    assert complaint in problems[0]


def test_a_file_of_the_most_lines_passes(tmp_path: Path) -> None:
    package = planted(tmp_path, "losses/in_batch_softmax.py", "x = 1\n" * LINES_AT_MOST)
    assert file_problems(package / "losses" / "in_batch_softmax.py") == []


def files(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def planted(root: Path, path: str, source: str) -> Path:
    """A package with every folder, two private one-liners, an `__init__` up to floor 6, and `source` at `path`."""
    package = root / "tfdual"
    for folder in FLOORS:
        (package / folder).mkdir(parents=True)
        (package / folder / "__init__.py").touch()
    (package / "__init__.py").write_text("from tfdual._typing import Tensor\nfrom tfdual.serving.a import A\n")
    (package / "_typing.py").write_text("from typing import Any\n")
    (package / "_register.py").write_text("import keras\n")
    (package / path).parent.mkdir(parents=True, exist_ok=True)
    (package / path).write_text(source)
    return package


def import_problems(package: Path, path: Path) -> list[str]:
    """Each import of `path` that the floors forbid, with its line."""
    relative = path.relative_to(package)
    if len(relative.parts) > 1 and relative.parts[0] not in FLOORS:
        return [f"{relative}: the folder {relative.parts[0]} has no floor"]
    tree = ast.parse(path.read_text())
    deferred = {
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    problems = [f"{relative}:{line}: an import inside a function" for line in sorted(deferred)]
    for line, module in imports(package, tree):
        if line not in deferred and (complaint := complain(package, relative, module)):
            problems.append(f"{relative}:{line}: {complaint}")
    return problems


def imports(package: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the full name of every module that is imported; `from tfdual import data` is `tfdual.data`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if module != "tfdual":
                yield node.lineno, module
                continue
            submodules = {alias.name for alias in node.names if is_module(package, alias.name)}
            yield from ((node.lineno, f"tfdual.{name}") for name in sorted(submodules))
            if len(submodules) < len(node.names):
                yield node.lineno, "tfdual"


def is_module(package: Path, name: str) -> bool:
    return (package / name).is_dir() or (package / f"{name}.py").is_file()


def complain(package: Path, importer: Path, module: str) -> str:
    """Why `importer` must not import `module`; empty where it may."""
    home, imported = importer.parts[0], module.split(".")
    if module.startswith("."):
        return f"a relative import of {module}; write the full name, so that the floor is seen"
    if imported[0] != "tfdual":
        barred = home == "schema" and imported[0] in NOT_IN_SCHEMA
        return f"imports {module}; the schema is free of it" if barred else ""
    if len(imported) == 1:
        return "" if floor(home) > public_floor(package) else "imports tfdual itself, which holds what lies above"
    target = imported[1]
    if home == "schema" and (private := package / f"{target}.py").is_file():
        heavy = {name.split(".")[0] for _, name in imports(package, ast.parse(private.read_text()))} & NOT_IN_SCHEMA
        return f"imports {module}, which reaches {', '.join(sorted(heavy))}; the schema is free of it" if heavy else ""
    allowed = home == target or floor(target) < floor(home)
    return "" if allowed else f"imports {'.'.join(imported[:2])}, which is not below {home}"


def public_floor(package: Path) -> int:
    """The highest floor that `tfdual/__init__.py` imports."""
    modules = [module.split(".") for _, module in imports(package, ast.parse((package / "__init__.py").read_text()))]
    return max(floor(module[1]) for module in modules if module[0] == "tfdual" and len(module) > 1)


def floor(name: str) -> int:
    """The floor of a folder or top-level file: private one-liners lie below all, `__init__` and `__main__` above."""
    name = name.removesuffix(".py")
    if name in FLOORS:
        return FLOORS[name]
    return PRIVATE if name.startswith("_") and not name.startswith("__") else TOP


def file_problems(path: Path) -> list[str]:
    """What is wrong with the name and the length of `path`."""
    problems = []
    stem = path.parent.name if path.stem == "__init__" else path.stem
    if stem.strip("_") in NAMES_OF_NOTHING:
        problems.append(f"{path}: named for nothing that it holds")
    if (lines := len(path.read_text().splitlines())) > LINES_AT_MOST:
        problems.append(f"{path}: {lines} lines, {LINES_AT_MOST} at most")
    return problems
