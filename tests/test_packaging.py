"""The metadata, the wheel, and what the wheel needs in an empty environment."""

import configparser
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tfdual

REPOSITORY = Path(__file__).resolve().parents[1]
OF_EXTRAS_ALONE = ["Stemmer", "bm25s", "hypothesis", "jupytext", "matplotlib", "nbclient", "pytest", "scipy", "sklearn"]
IMPORT = f"""
import importlib.metadata, importlib.util, time
print("installed of the extras:", [name for name in {OF_EXTRAS_ALONE} if importlib.util.find_spec(name)])
import tensorflow
start = time.perf_counter()
import tfdual
print(f"import tfdual after tensorflow: {{time.perf_counter() - start:.2f}} s")
print("missing:", [name for name in tfdual.__all__ if not hasattr(tfdual, name)])
print("versions:", tfdual.__version__, importlib.metadata.version("tfdual"))
print("file:", tfdual.__file__)
"""


def test_the_version_is_said_once() -> None:
    version = setup_cfg()["metadata"]["version"]
    assert tfdual.__version__ == version
    assert importlib.metadata.version("tfdual") == version
    assert f"## [{version}]" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_the_files_that_the_readme_links_to_exist() -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", (REPOSITORY / "README.md").read_text())
    expected = {"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", *links}
    assert [name for name in sorted(expected) if not (REPOSITORY / name).exists()] == []


def test_every_requirement_is_pinned_to_one_version_and_no_place() -> None:
    lines = [line for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", line)] == []
    pinned = {normal(line.partition("==")[0]) for line in lines}
    options = setup_cfg()
    wanted = "\n".join([options["options"]["install_requires"], *options["options.extras_require"].values()])
    names = {normal(re.split(r"[<>=!~;\[ ]", line, maxsplit=1)[0]) for line in wanted.split("\n") if line}
    assert names - {"tfdual"} - pinned == set()


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in (REPOSITORY / "tfdual").rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_nothing_beside(wheel: Path) -> None:
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    modules = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "tfdual").rglob("*.py")}
    assert set(names) == modules | {"tfdual/py.typed"}
    assert any(name.endswith("LICENSE") for name in zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_an_empty_environment_imports_the_wheel_with_the_core_dependencies_alone(empty: Path, tmp_path: Path) -> None:
    printed = run(empty / "bin" / "python", "-I", "-c", IMPORT, cwd=tmp_path)
    print(printed)
    said = dict(line.split(": ", 1) for line in printed.splitlines() if ": " in line)
    assert said["installed of the extras"] == "[]"
    assert said["missing"] == "[]"
    assert said["versions"] == f"{tfdual.__version__} {tfdual.__version__}"
    assert Path(said["file"]).is_relative_to(empty)


@pytest.mark.slow
def test_the_command_of_the_wheel_shows_its_help(empty: Path, tmp_path: Path) -> None:
    printed = run(empty / "bin" / "tfdual", "--help", cwd=tmp_path)
    assert {"demo", "query", "inspect"} <= set(printed.split())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources, so that no left-over of the checkout gets in."""
    sources, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in ["setup.cfg", "pyproject.toml", "README.md", "LICENSE"]:
        shutil.copy(REPOSITORY / name, sources)
    shutil.copytree(REPOSITORY / "tfdual", sources / "tfdual", ignore=shutil.ignore_patterns("__pycache__"))
    isolation = ["--no-isolation"] if can_build_here() else []
    run(Path(sys.executable), "-m", "build", "--wheel", *isolation, "--outdir", str(out), str(sources), cwd=sources)
    (built,) = out.glob("tfdual-*.whl")
    return built


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment that holds the wheel and what it requires, removed afterwards: it takes 2 GB."""
    environment = tmp_path_factory.mktemp("empty") / "environment"
    run(Path(sys.executable), "-m", "venv", str(environment), cwd=environment.parent)
    constraints = str(REPOSITORY / "constraints.txt")
    pip = ["-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    run(environment / "bin" / "python", *pip, "-c", constraints, str(wheel), cwd=environment.parent)
    yield environment
    shutil.rmtree(environment)


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg")
    return parser


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def can_build_here() -> bool:
    """Whether the setuptools at hand is one that `pyproject.toml` asks for: then the build needs no network."""
    return int(importlib.metadata.version("setuptools").split(".")[0]) >= 77


def run(program: Path, *arguments: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{program.name} {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
