"""A linear transform of the query, as an expression of Vespa's and its constant."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfdual.tailoring.vespa.tensors import finite_floats, tensor_type, write_tensor


@dataclass(frozen=True)
class ConstantTransform:
    """`W q` of a matrix `(dim, dim)`, or `s * q` of a scale `(dim,)`.

    A product of tensors in Vespa multiplies cells whose labels agree on the common dimensions. So `query(q)` has the
    dimension `x`, `W` has `x` and another, `out`; the sum over `x` leaves `out`, which is then called `x` again.

    Args:
        name: str. An identifier.
        weights: array.
        dim: int. Width of the items.

    Raises:
        TypeError: no numbers.
        ValueError: another shape; NaN or infinity.
    """

    name: str
    weights: np.ndarray
    dim: int

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights)
        if weights.shape not in ((self.dim, self.dim), (self.dim,)):
            raise ValueError(
                f"The transform '{self.name}' of embeddings of width {self.dim} is a matrix {(self.dim, self.dim)} or "
                f"a scale {(self.dim,)}. Received the shape {weights.shape}."
            )
        object.__setattr__(self, "weights", finite_floats(weights, f"The transform '{self.name}'"))

    @property
    def constant(self) -> str:
        """Name of the constant; the prefix keeps it apart from functions, so that a transform may be called `sum`."""
        return f"transform_{self.name}"

    @property
    def file(self) -> str:
        """Path of the constant in the application."""
        return f"constants/{self.constant}.json"

    @property
    def declaration(self) -> str:
        """The constant, in a rank profile."""
        return f"{self.constant} {tensor_type(**self._sizes)}: file: {self.file}"

    @property
    def expression(self) -> str:
        """The transformed `query(q)`, of its type."""
        product = f"query(q) * constant({self.constant})"
        return f"rename(reduce({product}, sum, x), out, x)" if self.weights.ndim == 2 else product

    def write(self, folder: Path) -> None:
        """Write the constant into an application; a matrix row by row, since `out` is before `x` in the alphabet."""
        write_tensor(folder / self.file, self.weights, **self._sizes)

    @property
    def _sizes(self) -> dict[str, int]:
        return {"x": self.dim} | ({"out": self.dim} if self.weights.ndim == 2 else {})
