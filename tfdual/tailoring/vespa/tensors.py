"""Dense tensors of Vespa: their types, and their files."""

import json
from pathlib import Path

import numpy as np


def tensor_type(**sizes: int) -> str:
    """The type of a dense tensor of floats, its dimensions in the order of the alphabet, as Vespa writes it.

    Args:
        sizes: dimension -> size.

    Example:
        >>> tensor_type(x=4, out=3)
        'tensor<float>(out[3],x[4])'
    """
    return f"tensor<float>({','.join(f'{name}[{sizes[name]}]' for name in sorted(sizes))})"


def finite_floats(values: np.ndarray, what: str) -> np.ndarray:
    """The values as float32.

    Args:
        values: array of numbers.
        what: str. What they are, for the message.

    Raises:
        TypeError: no numbers.
        ValueError: NaN, infinity, or a number that float32 can't hold.
    """
    if values.dtype.kind not in "fiu":
        raise TypeError(f"{what} needs real numbers. Received {values.dtype}.")
    with np.errstate(over="ignore"):
        floats = values.astype(np.float32)
    if not np.isfinite(floats).all():
        raise ValueError(f"{what} holds NaN, infinity, or a number that float32 can't hold. Mend it first.")
    return floats


def write_tensor(path: Path, values: np.ndarray, **sizes: int) -> None:
    """Write a constant: its type, and its cells in nested lists, the first dimension of the alphabet outermost.

    Args:
        path: of the file, which ends in `.json`.
        values: float32 `(size, ...)`, in the order of the alphabet too.
        sizes: dimension -> size, as declared where it is used.

    Raises:
        ValueError: the cells are not as many as declared.
    """
    declared = tuple(sizes[name] for name in sorted(sizes))
    if values.shape != declared:
        raise ValueError(f"{path.name} is declared {tensor_type(**sizes)}. Received cells of the shape {values.shape}.")
    content = {"type": tensor_type(**sizes), "values": values.tolist()}
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
