"""Vespa's ranking expressions, as far as they are used here: parsed, checked, and evaluated by NumPy.

Written from Vespa's reference of ranking expressions and tensors, and knows nothing of what writes them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TOKEN = re.compile(r"\s*(\d+\.?\d*|[A-Za-z_]\w*|[-+*/(){}\[\],:.<>])")


OPERATIONS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "min": np.minimum,
    "max": np.maximum,
}


@dataclass(frozen=True)
class Named:
    """A tensor whose dimensions have names; those in the order of the alphabet."""

    dims: tuple[str, ...]
    cells: np.ndarray

    def __post_init__(self) -> None:
        assert self.dims == tuple(sorted(set(self.dims))), self.dims
        assert self.cells.ndim == len(self.dims)

    @property
    def sizes(self) -> dict[str, int]:
        return dict(zip(self.dims, self.cells.shape, strict=True))


Feature = Callable[[str, list[str], str | None], Named]


def scalar(value: float) -> Named:
    return Named((), np.float64(value))


def tensor_sizes(text: str) -> dict[str, int]:
    """`tensor<float>(out[3],x[4])` -> the sizes."""
    found = re.fullmatch(r"tensor<float>\((\w+\[\d+\](?:,\w+\[\d+\])*)\)", text)
    if not found:
        raise ValueError(f"no type of a dense tensor of floats: {text}")
    return {name: int(size) for name, size in re.findall(r"(\w+)\[(\d+)\]", found[1])}


def evaluate(text: str, feature: Feature) -> Named:
    """The value of an expression; raises ValueError where names, sizes or syntax don't fit."""
    return _Parser(text, feature).whole()


class _Parser:
    def __init__(self, text: str, feature: Feature) -> None:
        self.tokens, self.feature, place = [], feature, 0
        while place < len(text.rstrip()):
            if not (found := TOKEN.match(text, place)):
                raise ValueError(f"what is {text[place:]!r}?")
            self.tokens.append(found[1])
            place = found.end()

    def whole(self) -> Named:
        value = self.sum()
        if self.tokens:
            raise ValueError(f"more than an expression: {self.tokens}")
        return value

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, *wanted: str) -> str:
        if not self.tokens or (wanted and self.tokens[0] not in wanted):
            raise ValueError(f"wanted {wanted}, found {self.tokens}")
        return self.tokens.pop(0)

    def sum(self) -> Named:
        value = self.product()
        while self.peek() in ("+", "-"):
            value = join(value, OPERATIONS[self.take()], self.product())
        return value

    def product(self) -> Named:
        value = self.value()
        while self.peek() in ("*", "/"):
            value = join(value, OPERATIONS[self.take()], self.value())
        return value

    def value(self) -> Named:
        token = self.take()
        if token == "-":
            inner = self.value()
            return Named(inner.dims, -inner.cells)
        if token == "(":
            inner = self.sum()
            self.take(")")
            return inner
        if token[0].isdigit():
            return scalar(float(token))
        return self.literal() if token == "tensor" else self.call(token)

    def literal(self) -> Named:
        """`tensor<float>(d0[1]):[1]`, of one dimension."""
        kind = "tensor" + "".join(self.take() for _ in range(self.tokens.index(":")))
        self.take(":")
        ((name, size),) = tensor_sizes(kind).items()
        cells = [float(token) for token in iter(self.take, "]") if token not in "[,"]
        if len(cells) != size:
            raise ValueError(f"{kind} has {len(cells)} cells")
        return Named((name,), np.array(cells))

    def words(self) -> list[str]:
        """The names that follow, each after a comma, up to the bracket."""
        names = []
        while self.take(",", ")") == ",":
            names.append(self.take())
        return names

    def call(self, name: str) -> Named:
        if name in ("query", "constant", "attribute", "closeness", "onnx"):
            self.take("(")
            arguments = [self.take(), *self.words()]
            if self.peek() != ".":
                return self.feature(name, arguments, None)
            self.take(".")
            return self.feature(name, arguments, self.take())
        if self.peek() != "(":
            return self.feature(name, [], None)
        self.take("(")
        first = self.sum()
        if name in ("min", "max"):
            self.take(",")
            second = self.sum()
            self.take(")")
            return join(first, OPERATIONS[name], second)
        if name in ("cosine_similarity", "euclidean_distance"):
            self.take(",")
            second = self.sum()
            return between(name, first, second, *self.words())
        return FUNCTIONS[name](first, *self.words())


def join(left: Named, operation: np.ufunc, right: Named) -> Named:
    """Cells whose labels agree on the common dimensions, pair by pair."""
    dims = tuple(sorted({*left.dims, *right.dims}))
    for name in set(left.dims) & set(right.dims):
        if left.sizes[name] != right.sizes[name]:
            raise ValueError(f"{name} has {left.sizes[name]} and {right.sizes[name]} places")

    def spread(tensor: Named) -> np.ndarray:
        return tensor.cells.reshape([tensor.sizes.get(name, 1) for name in dims])

    return Named(dims, operation(spread(left), spread(right)))


def total(tensor: Named, *names: str) -> Named:
    if missing := set(names) - set(tensor.dims):
        raise ValueError(f"no dimensions {missing} in {tensor.dims}")
    over = names or tensor.dims
    left = tuple(name for name in tensor.dims if name not in over)
    return Named(left, tensor.cells.sum(axis=tuple(tensor.dims.index(name) for name in over)))


def reduce(tensor: Named, aggregator: str, *names: str) -> Named:
    if aggregator != "sum":
        raise ValueError(f"unknown aggregator {aggregator}")
    return total(tensor, *names)


def rename(tensor: Named, old: str, new: str) -> Named:
    if old not in tensor.dims or new in tensor.dims:
        raise ValueError(f"{old} can't become {new} in {tensor.dims}")
    renamed = [new if name == old else name for name in tensor.dims]
    order = np.argsort(renamed)
    return Named(tuple(renamed[place] for place in order), tensor.cells.transpose(order))


def l2_normalize(tensor: Named, name: str) -> Named:
    squares = total(join(tensor, np.multiply, tensor), name)
    return join(tensor, np.divide, Named(squares.dims, np.sqrt(squares.cells)))


def between(name: str, left: Named, right: Named, dim: str) -> Named:
    if name == "euclidean_distance":
        difference = join(left, np.subtract, right)
        squares = total(join(difference, np.multiply, difference), dim)
        return Named(squares.dims, np.sqrt(squares.cells))
    return total(join(l2_normalize(left, dim), np.multiply, l2_normalize(right, dim)), dim)


def acos(tensor: Named) -> Named:
    return Named(tensor.dims, np.arccos(tensor.cells))


FUNCTIONS: dict[str, Callable[..., Named]] = {
    "acos": acos,
    "l2_normalize": l2_normalize,
    "reduce": reduce,
    "rename": rename,
    "sum": total,
}
