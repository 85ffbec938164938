"""The documented functions, classes and methods of the installed Python, as rows to search."""

import difflib
import gc
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from tfdual.demo.docstrings import split_docstring
from tfdual.demo.public_names import public_names
from tfdual.demo.source_files import Definition, SourceModule, read_module

Progress = Callable[[int, int], None]

_TEST_FOLDERS = ("idlelib", "lib2to3", "test", "testing", "tests", "turtledemo")
_COPY_FOLDERS = ("_vendor", "_vendored", "extern", "site-packages", "third_party", "vendored")
_SKIPPED_FOLDERS = frozenset(["__pycache__", *_TEST_FOLDERS, *_COPY_FOLDERS])
_SKIPPED_FILE = re.compile(r"__init__|gen_.*|test_.*|.*_test|conftest")
_OLD_COPIES = frozenset(["tensorflow.python.keras"])
_NAMED_BY_OTHERS = frozenset(
    ["antigravity", "genericpath", "ntpath", "nturl2path", "posixpath", "sre_compile", "sre_parse", "this"]
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

SYMBOL_COLUMNS = pa.schema(
    [
        ("symbol", pa.string()),
        ("name_words", pa.string()),
        ("package", pa.string()),
        ("module", pa.string()),
        ("kind", pa.string()),
        ("parameters", pa.list_(pa.string())),
        ("num_parameters", pa.float32()),
        ("num_defaults", pa.float32()),
        ("num_doc_words", pa.float32()),
        ("num_lines", pa.float32()),
        ("description", pa.string()),
        ("summary", pa.string()),
    ]
)


@dataclass(frozen=True)
class _Row:
    symbol: str
    name_words: str
    package: str
    module: str
    kind: str
    parameters: tuple[str, ...]
    num_parameters: int
    num_defaults: int
    num_doc_words: int
    num_lines: int
    description: str
    summary: str


def collect_symbols(packages: Sequence[str] | None = None, progress: Progress | None = None) -> pa.Table:
    """Read the public functions, classes and methods of the standard library and the installed packages.

    Source files are parsed; nothing is imported or executed. What only a private module names is left out.
    `summary` is the first sentence of the docstring; the `description` is the rest and never contains it.

    Args:
        packages: top-level packages to read. Defaults to `None`, which reads all.
        progress: called with `(files read, files in all)` after each file.

    Returns:
        A table with the columns of `SYMBOL_COLUMNS`, one row a symbol, sorted by `symbol`.

    Raises:
        TypeError: `packages` is one string.
        ValueError: a package is not installed or is no Python source.
    """
    if isinstance(packages, str):
        raise TypeError(f"`packages` needs a list of names. Received the string {packages!r}. Write [{packages!r}].")
    installed = _installed()
    chosen = _chosen(installed, packages)
    files = [(path, module) for top in chosen for path, module in _source_files(installed[top], top)]
    modules = {}
    with _no_garbage_collection():
        for done, (path, module) in enumerate(files, start=1):
            source = read_module(path, module)
            if source is not None:
                modules[module] = source
            if progress is not None:
                progress(done, len(files))
    rows = symbol_rows(modules)
    if packages is not None:
        rows = [row for row in rows if row["package"] in packages]
    return pa.Table.from_pylist(rows, schema=SYMBOL_COLUMNS)


def symbol_rows(modules: Mapping[str, SourceModule]) -> list[dict]:
    """Turn source files that belong together into one row a symbol, sorted by symbol.

    Of several symbols of one package that share their last name and their first sentence, the shortest stays.

    Args:
        modules: dict of dotted name -> `SourceModule`.
    """
    definitions = [definition for source in modules.values() for definition in source.definitions]
    for definition in definitions:
        if definition.module in modules:
            modules[definition.module].defined.setdefault(definition.qualname.split(".")[0])
    names = public_names(modules, _NAMED_BY_OTHERS)
    rows = filter(None, (_row(definition, names) for definition in definitions))
    best: dict[tuple[str, str, str], _Row] = {}
    for row in sorted(rows, key=lambda row: (row.symbol.count("."), len(row.symbol), row.symbol)):
        best.setdefault((row.package, row.symbol.rsplit(".", 1)[-1], row.summary.lower()), row)
    unique: dict[str, _Row] = {}
    for row in best.values():
        unique.setdefault(row.symbol, row)
    return [vars(unique[symbol]) for symbol in sorted(unique)]


def item_text(table: pa.Table) -> list[str]:
    """Write everything that a row tells about its symbol as one text, the first sentence of its docstring left out.

    Args:
        table: as `collect_symbols` returns it.
    """
    columns = ["name_words", "package", "module", "kind", "parameters", "description"]
    return [
        " ".join(
            [
                row["name_words"],
                row["package"],
                split_name(row["module"]),
                row["kind"],
                *map(split_name, row["parameters"]),
                row["description"],
            ]
        )
        for row in table.select(columns).to_pylist()
    ]


def split_symbols(table: pa.Table, held_out: float = 0.1, seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Hold out a share of the symbols; those that share a first sentence stay together.

    Args:
        table: as `collect_symbols` returns it.
        held_out: float. The share of the symbols to hold out. Defaults to `0.1`.
        seed: int. Defaults to `0`.

    Returns:
        `(train, test)`, both in the order of `table`.

    Raises:
        ValueError: `held_out` is not between 0 and 1.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"`held_out` must be a share between 0 and 1, e.g. 0.1. Received {held_out}. Change it.")
    keys, group = np.unique([summary.lower() for summary in table["summary"].to_pylist()], return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(keys))
    held_before = np.cumsum(np.bincount(group, minlength=len(keys))[order])
    is_held = np.zeros(len(keys), bool)
    is_held[order[held_before <= round(held_out * table.num_rows)]] = True
    is_test = is_held[group]
    return table.filter(pa.array(~is_test)), table.filter(pa.array(is_test))


def test_queries(test: pa.Table) -> pa.Table:
    """List the distinct first sentences of held-out symbols, each with the symbols that it describes.

    Args:
        test: the second table of `split_symbols`.

    Returns:
        A table with `summary`, `relevant` (list of symbols) and `seen` (an empty list).
    """
    relevant: dict[str, tuple[str, list[str]]] = {}
    for row in test.select(["symbol", "summary"]).to_pylist():
        relevant.setdefault(row["summary"].lower(), (row["summary"], []))[1].append(row["symbol"])
    symbols = pa.list_(pa.string())
    return pa.table(
        {
            "summary": pa.array([summary for summary, _ in relevant.values()], pa.string()),
            "relevant": pa.array([found for _, found in relevant.values()], symbols),
            "seen": pa.array([[] for _ in relevant], symbols),
        }
    )


def split_name(name: str) -> str:
    """Split a dotted name into lower-case words: `"numpy.linalg.matrixRank"` becomes `"numpy linalg matrix rank"`."""
    return " ".join(_WORD.findall(name)).lower()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Syntax trees are many objects and no cycles: the collector would take a third of the time and find nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _installed() -> dict[str, Path]:
    """Every top-level module and package that has source, the standard library winning over what shadows it."""
    paths = sysconfig.get_paths()
    found: dict[str, Path] = {}
    for folder in dict.fromkeys([paths["stdlib"], paths["purelib"], paths["platlib"]]):
        is_stdlib = folder == paths["stdlib"]
        for path in sorted(Path(folder).iterdir()):
            is_source = path.suffix == ".py" or (path.is_dir() and path.name.isidentifier())
            if is_source and path.stem.isidentifier() and (path.stem in sys.stdlib_module_names or not is_stdlib):
                found.setdefault(path.stem, path)
    return {top: path for top, path in found.items() if path.name not in _SKIPPED_FOLDERS}


def _chosen(installed: Mapping[str, Path], packages: Iterable[str] | None) -> list[str]:
    if packages is None:
        return sorted(installed)
    chosen = sorted(set(packages))
    unknown = [name for name in chosen if name not in installed]
    if unknown:
        close = difflib.get_close_matches(unknown[0], installed, n=3) or ["json", "numpy"]
        raise ValueError(
            f"`packages` needs names of installed top-level packages. Received {unknown}, not installed here. "
            f"Install them, or name others, e.g. {close}."
        )
    hidden = [top for top in installed if top.startswith("_") or top in _NAMED_BY_OTHERS]
    return sorted({*chosen, *hidden})


def _source_files(path: Path, module: str) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, module
        return
    if (path / "__init__.py").is_file():
        yield path / "__init__.py", module
    for child in sorted(path.iterdir()):
        name = child.stem
        is_wanted = name.isidentifier() and child.suffix in ("", ".py") and child.name not in _SKIPPED_FOLDERS
        if child.is_dir() and is_wanted and f"{module}.{name}" not in _OLD_COPIES:
            yield from _source_files(child, f"{module}.{name}")
        elif child.is_file() and is_wanted and not _SKIPPED_FILE.fullmatch(name):
            yield child, f"{module}.{name}"


def _row(definition: Definition, names: Mapping[tuple[str, str], str]) -> _Row | None:
    outer, _, inner = definition.qualname.partition(".")
    shown = names.get((definition.module, outer), f"{definition.module}.{outer}")
    package = shown.split(".")[0]
    if package in _NAMED_BY_OTHERS or any(part.startswith("_") for part in shown.split(".")):
        return None
    text = split_docstring(definition.docstring)
    if text is None:
        return None
    symbol = f"{shown}.{inner}" if inner else shown
    return _Row(
        symbol=symbol,
        name_words=split_name(symbol),
        package=package,
        module=shown.rpartition(".")[0],
        kind=definition.kind,
        parameters=definition.parameters,
        num_parameters=len(definition.parameters),
        num_defaults=definition.num_defaults,
        num_doc_words=text.num_words,
        num_lines=definition.num_lines,
        description=text.description,
        summary=text.summary,
    )
