"""The weights of a model in a file of safetensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfdual._optional import require
from tfdual.features.text.tensor_names import SEGMENTS, Family

WORDS = "embeddings.word_embeddings.weight"
OLD_NAMES = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}


class TensorFile:
    """Names and shapes are read and checked at once, values when they are asked for.

    The file stays open, mapped to memory: it may be removed.

    Args:
        path: of the file.
        family: whose names it has.
        sizes: arguments of the `TextTransformer` that it is for.

    Raises:
        ValueError: the file is damaged, lacks tensors, or has some of another shape.
        ImportError: the extra `text` is not installed.
    """

    def __init__(self, path: Path, family: Family, sizes: Mapping[str, Any]) -> None:
        package = require("safetensors", extra="text")
        self._family, self._sizes = family, sizes
        try:
            self._file = package.safe_open(path, framework="numpy")
            shapes = {name: tuple(self._file.get_slice(name).get_shape()) for name in self._file.keys()}  # noqa: SIM118
        except package.SafetensorError as error:
            raise ValueError(f"{path} is damaged: {error}. Copy or download it again.") from error
        self._names = _our_names(shapes)
        wanted = family.shapes(sizes)
        if family.segments:
            rows = shapes.get(self._names.get(SEGMENTS, ""), (1,))[0]  # two, or one where nothing is told apart
            wanted[SEGMENTS] = (rows, sizes["dim"])
        if missing := sorted(wanted.keys() - self._names.keys()):
            raise ValueError(f"{path} lacks {len(missing)} tensors of the model, such as {missing[0]}.")
        for name, shape in wanted.items():
            if (found := shapes[self._names[name]]) != shape:
                raise ValueError(f"{path} doesn't fit the model's config: {name} is {found} instead of {shape}.")

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights by their paths in a `TextTransformer`."""
        return self._family.arrays(self._read, self._sizes["num_layers"])

    def pair_arrays(self) -> dict[str, np.ndarray]:
        """What a model of pairs has beside them."""
        return self._family.pair_arrays(self._read, self._names)

    def _read(self, name: str) -> np.ndarray:
        return self._file.get_tensor(self._names[name]).astype(np.float32, copy=False)


def _our_names(shapes: Mapping[str, Any]) -> dict[str, str]:
    """Name in the family -> name in the file, where all but a classifier's may have a prefix such as `bert.`, and two
    tensors old names."""
    prefix = next((name.removesuffix(WORDS) for name in shapes if name.endswith(WORDS)), "")
    names = {name: name for name in shapes}
    names |= {name.removeprefix(prefix): name for name in shapes if name.startswith(prefix)}
    for new, old in OLD_NAMES.items():
        names |= {ours.removesuffix(old) + new: theirs for ours, theirs in names.items() if ours.endswith(old)}
    return names
