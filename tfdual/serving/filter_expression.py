"""Filters of items as people write them -> the terms that a served graph takes."""

import ast
from collections.abc import Mapping

EQUALITY = ("==", "!=")
OPERATORS = (*EQUALITY, "<=", ">=", "<", ">")
HAS = "has"
_COMPARISONS = {ast.Eq: "==", ast.NotEq: "!=", ast.LtE: "<=", ast.GtE: ">=", ast.Lt: "<", ast.Gt: ">"}
_MIRRORED = {"==": "==", "!=": "!=", "<=": ">=", ">=": "<=", "<": ">", ">": "<"}
_PYTHON = {"string": str, "bool": bool}  # what is equal or not
EXAMPLE = "\"year >= 1990 and genre == 'Drama'\""


def compile_filter(expression: str, columns: Mapping[str, str]) -> list[str]:
    """An expression such as `"year >= 1990 and 'Drama' in genres"` as terms in postfix order.

    Comparisons of a column and a value (`==`, `!=`, `<`, `<=`, `>`, `>=`; a chain `1990 <= year < 2000`; `shelf in
    ['a', 'b']`), `'Drama' in genres` where the column holds lists, `in_stock` where it holds bools, joined by `and`,
    `or`, `not` and parentheses.

    Args:
        expression: str, in Python's syntax.
        columns: the columns that can be filtered -> their dtype, such as `"int64"`, `"string"` or `"list of string"`.

    Returns:
        list of str: `["year >= 1990", "genres has Drama", "and"]`. The input `filter` of a served model takes it.

    Raises:
        ValueError: it is no such expression, names an unknown column, or compares a column with a value of another
            type; it is nested too deeply.
    """
    if not isinstance(expression, str):
        raise ValueError(f"A filter is a string, such as {EXAMPLE}. Received {expression!r}.")
    try:
        return _terms(ast.parse(expression.strip(), mode="eval").body, columns)
    except SyntaxError as error:
        raise ValueError(
            f"The filter {expression!r} can't be read: {error.msg}. Write one such as {EXAMPLE}."
        ) from None
    except (RecursionError, MemoryError):
        raise ValueError(
            f"The filter {expression[:40]!r}... is nested too deeply. Write it with fewer parentheses and `not`s, and "
            "several values as `shelf in ['a', 'b']`."
        ) from None


def _terms(node: ast.expr, columns: Mapping[str, str]) -> list[str]:
    match node:
        case ast.BoolOp(op=op, values=values):
            return _joined([_terms(value, columns) for value in values], "and" if isinstance(op, ast.And) else "or")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return [*_terms(operand, columns), "not"]
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            pairs = zip(sides, ops, sides[1:], strict=False)
            return _joined([_comparison(one, op, other, columns) for one, op, other in pairs], "and")
        case ast.Name(id=name) if columns.get(name) == "bool":
            return [f"{name} == True"]
    raise ValueError(f"A filter compares columns with values, such as {EXAMPLE}. Received {ast.unparse(node)!r}.")


def _joined(parts: list[list[str]], operator: str) -> list[str]:
    first, *others = parts
    return [*first, *(term for part in others for term in (*part, operator))]


def _comparison(left: ast.expr, op: ast.cmpop, right: ast.expr, columns: Mapping[str, str]) -> list[str]:
    if isinstance(op, ast.In | ast.NotIn):
        terms = _membership(left, right, columns)
        return [*terms, "not"] if isinstance(op, ast.NotIn) else terms
    operator = _COMPARISONS.get(type(op))
    if operator is None:
        text = f"{ast.unparse(left)} is {ast.unparse(right)}"
        raise ValueError(f"A filter knows {', '.join(OPERATORS)}, in and not in. Received {text!r}.")
    if isinstance(left, ast.Name) and not isinstance(right, ast.Name):
        return [_term(left, operator, right, columns)]
    if isinstance(right, ast.Name) and not isinstance(left, ast.Name):
        return [_term(right, _MIRRORED[operator], left, columns)]
    text = f"{ast.unparse(left)} {operator} {ast.unparse(right)}"
    raise ValueError(f"A comparison has a column on one side and a value on the other. Received {text!r}.")


def _membership(left: ast.expr, right: ast.expr, columns: Mapping[str, str]) -> list[str]:
    if isinstance(right, ast.Name):
        return [_term(right, HAS, left, columns)]
    if isinstance(right, ast.List | ast.Tuple | ast.Set) and right.elts and isinstance(left, ast.Name):
        return _joined([[_term(left, "==", value, columns)] for value in right.elts], "or")
    text = f"{ast.unparse(left)} in {ast.unparse(right)}"
    raise ValueError(f"Write `shelf in ['a', 'b']`, or `'a' in shelves` of a column of lists. Received {text!r}.")


def _term(column: ast.Name, operator: str, value: ast.expr, columns: Mapping[str, str]) -> str:
    name = column.id
    if name not in columns:
        raise ValueError(
            f"The column {name!r} can't be filtered. Those that can: {sorted(columns)}. Name it in "
            "`to_retriever(..., filters=[...])`."
        )
    dtype = columns[name]
    of_lists = dtype.startswith("list of ")
    if of_lists != (operator == HAS):
        wanted = f"`value in {name}`" if of_lists else f"`{name} in [value, ...]`"
        raise ValueError(f"The column {name!r} holds {'lists' if of_lists else 'single values'}: write {wanted}.")
    return f"{name} {operator} {_text(name, dtype.removeprefix('list of '), operator, value)}"


def _text(name: str, dtype: str, operator: str, node: ast.expr) -> str:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        raise ValueError(f"'{name}' is compared with a value. Received {ast.unparse(node)!r}.") from None
    wanted = _PYTHON.get(dtype, int if "int" in dtype else (int, float))
    if not isinstance(value, wanted) or isinstance(value, bool) != (dtype == "bool"):
        raise ValueError(f"The column '{name}' is of {dtype}. It can't be compared with {value!r}.")
    if "int" in dtype and isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"The column '{name}' is of {dtype}. {value} is beyond every integer of 64 bits.")
    if dtype in _PYTHON and operator not in (*EQUALITY, HAS):
        raise ValueError(
            f"The column '{name}' holds {dtype}s, which are equal or not. Received the operator {operator}."
        )
    return str(value)
