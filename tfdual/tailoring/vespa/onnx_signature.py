"""What goes into an ONNX file, and what comes out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from google.protobuf.message import DecodeError

from tfdual._optional import require

Sizes = tuple[int | str, ...]


@dataclass(frozen=True)
class OnnxTensor:
    """An input or output.

    Args:
        dtype: str. In ONNX's words: `"FLOAT"`, `"INT64"`, ...
        sizes: of each dimension an int, or a name; `""` where the file says neither.
    """

    dtype: str
    sizes: Sizes

    def __str__(self) -> str:
        return f"{self.dtype.lower()}[{', '.join(str(size) or '?' for size in self.sizes)}]"


@dataclass(frozen=True)
class OnnxSignature:
    """Inputs and outputs of a model, in their order.

    Args:
        path: of the file.
        inputs: name -> OnnxTensor.
        outputs: name -> OnnxTensor.
    """

    path: Path
    inputs: dict[str, OnnxTensor]
    outputs: dict[str, OnnxTensor]

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The signature of a file.

        Raises:
            ImportError: the extra `onnx` is not installed.
            FileNotFoundError: there is no such file.
            ValueError: it is no ONNX model, or keeps its weights in other files.
        """
        onnx, path = require("onnx", extra="onnx"), Path(path)
        try:
            graph = onnx.load(path, load_external_data=False).graph
        except DecodeError as error:
            raise ValueError(f"{path} is no ONNX file: {error}.") from error
        if not graph.node or not graph.output:
            raise ValueError(f"{path} is no ONNX file: it holds no graph.")
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
            raise ValueError(
                f"{path} keeps its weights in other files, which Vespa doesn't read from an application. Save it as "
                "one file, below 2 GB."
            )
        weights = {tensor.name for tensor in graph.initializer}
        inputs = {value.name: _tensor(onnx, value) for value in graph.input if value.name not in weights}
        return cls(path, inputs, {value.name: _tensor(onnx, value) for value in graph.output})

    def __str__(self) -> str:
        sides = [", ".join(f"'{name}' {it}" for name, it in side.items()) for side in (self.inputs, self.outputs)]
        return f"{self.path} takes {sides[0] or 'nothing'} and gives {sides[1]}"

    def refuse(self, wanted: str) -> ValueError:
        """The error of a file that doesn't fit; what was wanted, and what it is."""
        return ValueError(f"{wanted} {self}.")


def _tensor(onnx: Any, value: Any) -> OnnxTensor:
    tensor = value.type.tensor_type
    sizes = (size.dim_param or size.dim_value or "" for size in tensor.shape.dim)
    return OnnxTensor(onnx.TensorProto.DataType.Name(tensor.elem_type), tuple(sizes))
