"""What a Python source file defines and re-exports, read without importing it."""

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES = 2_000_000
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """A public function, class or method with a docstring; `qualname` is its name inside the module."""

    module: str
    qualname: str
    kind: str
    docstring: str
    parameters: tuple[str, ...]
    num_defaults: int
    num_lines: int


@dataclass
class SourceModule:
    """One source file.

    `imports` maps a local name to `(module, name in that module)`, or to `(module, None)` for a whole module.
    `exported` holds `__all__`, or is `None` where that is absent or computed.
    """

    name: str
    is_package: bool
    definitions: list[Definition] = field(default_factory=list)
    defined: dict[str, None] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    same_name_imports: set[str] = field(default_factory=set)
    stars: list[str] = field(default_factory=list)
    exported: list[str] | None = None


def read_module(path: Path, module: str) -> SourceModule | None:
    """Read one source file.

    Args:
        path: Path. The file.
        module: str. The dotted name that the file is imported by.

    Returns:
        `None` if the file is over 2 MB or is no valid Python.
    """
    if path.stat().st_size > MAX_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return None
    source = SourceModule(module, is_package=path.name == "__init__.py")
    for statement in _statements(tree.body):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if statement.name not in source.defined:
                source.defined[statement.name] = None
                source.definitions.extend(_definitions(statement, module))
        elif isinstance(statement, ast.ImportFrom | ast.Import):
            _record_import(source, statement)
    source.exported = _literal_exports(tree)
    source.definitions.extend(_added_docs(tree))
    return source


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _statements(statement.body)
            yield from _statements(getattr(statement, "orelse", []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)


def _definitions(node: ast.stmt, module: str, owner: str = "") -> Iterator[Definition]:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
        return
    qualname = f"{owner}.{node.name}" if owner else node.name
    docstring = ast.get_docstring(node, clean=False)
    if docstring:
        if isinstance(node, ast.ClassDef):
            kind, parameters = "class", _class_parameters(node)
        else:
            kind, parameters = "method" if owner else "function", _parameters(node, is_method=bool(owner))
        yield Definition(module, qualname, kind, docstring, *parameters, num_lines=_num_lines(node))
    if isinstance(node, ast.ClassDef):
        for member in _statements(node.body):
            yield from _definitions(member, module, qualname)


def _class_parameters(node: ast.ClassDef) -> tuple[tuple[str, ...], int]:
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return _parameters(member, is_method=True)
    return (), 0


def _parameters(node: _Function, is_method: bool) -> tuple[tuple[str, ...], int]:
    arguments = node.args
    positional = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    is_static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in node.decorator_list)
    if is_method and not is_static:
        positional = positional[1:]
    named = [arguments.vararg, *arguments.kwonlyargs, arguments.kwarg]
    num_defaults = len(arguments.defaults) + sum(default is not None for default in arguments.kw_defaults)
    return (*positional, *(argument.arg for argument in named if argument)), num_defaults


def _num_lines(node: ast.ClassDef | _Function) -> int:
    after_docstring = node.body[1:]
    return (after_docstring[-1].end_lineno or 0) - after_docstring[0].lineno + 1 if after_docstring else 0


def _record_import(source: SourceModule, statement: ast.Import | ast.ImportFrom) -> None:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.asname:
                source.imports.setdefault(alias.asname, (alias.name, None))
        return
    origin = statement.module or ""
    if statement.level:
        levels = statement.level - source.is_package
        parents = source.name.split(".")
        base = parents[: len(parents) - levels]
        origin = ".".join([*base, origin] if origin else base)
    for alias in statement.names:
        if alias.name == "*":
            source.stars.append(origin)
            continue
        source.imports.setdefault(alias.asname or alias.name, (origin, alias.name))
        if alias.asname == alias.name:
            source.same_name_imports.add(alias.name)


def _literal_exports(tree: ast.Module) -> list[str] | None:
    names: list[str] | None = None
    for statement in tree.body:
        value: ast.expr
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                names = []
            case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
                pass
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="__all__")), args=[value])):
                pass
            case _:
                continue
        try:
            literal = ast.literal_eval(value)
        except (ValueError, TypeError):
            return None
        names = [*(names or []), *([literal] if isinstance(literal, str) else literal)]
    return names


def _added_docs(tree: ast.Module) -> Iterator[Definition]:
    """Docstrings that NumPy attaches to C functions: `add_newdoc(module, name, docstring)`."""
    calls = [
        statement.value
        for statement in tree.body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and len(statement.value.args) == 3
        if isinstance(statement.value.func, ast.Name) and statement.value.func.id == "add_newdoc"
    ]
    classes = {ast.unparse(call.args[1]) for call in calls if isinstance(call.args[2], ast.Tuple)}
    for call in calls:
        try:
            module, name, docstring = (ast.literal_eval(argument) for argument in call.args)
        except ValueError:
            continue
        if isinstance(docstring, str) and docstring.strip():
            kind = "class" if repr(name) in classes else "function"
            yield Definition(module, name, kind, docstring, *_documented_parameters(docstring), num_lines=0)


def _documented_parameters(docstring: str) -> tuple[tuple[str, ...], int]:
    signature = docstring.strip().split("\n\n")[0].removesuffix("--").strip()
    try:
        (node,) = ast.parse(f"def {signature}: pass").body
    except (SyntaxError, ValueError):
        return (), 0
    return _parameters(node, is_method=False) if isinstance(node, ast.FunctionDef) else ((), 0)
