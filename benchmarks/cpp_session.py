"""A SavedModel in TensorFlow's C++ loader and session, as TensorFlow Serving runs it, without Python's TensorFlow.

    python benchmarks/cpp_session.py models/movies/1 < request.json

A request is JSON: `{"feeds": {tensor name: {"dtype": ..., "values": ...}}, "fetches": {name: tensor name}}`, with the
tensor names of a signature as `saved_model_cli show` prints them. The answer is JSON: `{name: values}`.
"""

import ctypes
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

STRING, STRING_BYTES = 7, 24  # TF_STRING, and sizeof(TF_TString)
TYPES = {1: "float32", 3: "int32", 9: "int64", 10: "bool"}
SMALL, LARGE, VIEW = 0, 1, 3  # kinds of TF_TString, its two lowest bits
POINTERS = (
    *("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadLibrary", "TF_LoadSessionFromSavedModel"),
    *("TF_GraphOperationByName", "TF_AllocateTensor", "TF_TensorData"),
)


class Output(ctypes.Structure):
    """`TF_Output`: one output of an operation."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


def package(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{name} is not installed.")
    return Path(spec.origin).parent


def interface() -> ctypes.CDLL:
    """TensorFlow's C interface, in the library that its Python package brings."""
    found = ctypes.CDLL(str(package("tensorflow") / "libtensorflow_cc.so.2"), mode=ctypes.RTLD_GLOBAL)
    for name in POINTERS:
        getattr(found, name).restype = ctypes.c_void_p
    found.TF_Message.restype = ctypes.c_char_p
    found.TF_Dim.restype = found.TF_TensorByteSize.restype = ctypes.c_int64
    return found


class CppSession:
    """A loaded SavedModel.

    Args:
        folder: the SavedModel.
        scann: bool. Whether its graph has ScaNN's op, whose library is loaded first. Defaults to `False`.

    Raises:
        RuntimeError: TensorFlow refuses it; its message.
    """

    def __init__(self, folder: Path, scann: bool = False) -> None:
        self._c = interface()
        self._status = ctypes.c_void_p(self._c.TF_NewStatus())
        if scann:
            library = package("scann") / "scann_ops" / "cc" / "_scann_ops.so"
            self._c.TF_LoadLibrary(str(library).encode(), self._status)
            self._check()
        self._graph = ctypes.c_void_p(self._c.TF_NewGraph())
        options, tags = ctypes.c_void_p(self._c.TF_NewSessionOptions()), (ctypes.c_char_p * 1)(b"serve")
        loaded = self._c.TF_LoadSessionFromSavedModel(
            options, None, str(folder).encode(), tags, 1, self._graph, None, self._status
        )
        self._check()
        self._session = ctypes.c_void_p(loaded)

    def _check(self) -> None:
        if self._c.TF_GetCode(self._status):
            raise RuntimeError(self._c.TF_Message(self._status).decode())

    def caller(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> Callable[[], list[np.ndarray]]:
        """A function that runs the session once, on tensors that are made here, and gives what is fetched.

        Args:
            feeds: tensor name -> array; bytes for strings.
            fetches: tensor names.
        """
        given = [self._tensor(values) for values in feeds.values()]
        inputs = (Output * len(feeds))(*map(self._output, feeds))
        values = (ctypes.c_void_p * len(feeds))(*[tensor.value for tensor, _ in given])
        outputs = (Output * len(fetches))(*map(self._output, fetches))
        return partial(self._run, inputs, values, outputs, kept=given)

    def _run(self, inputs: Any, values: Any, outputs: Any, kept: Any) -> list[np.ndarray]:
        found = (ctypes.c_void_p * len(outputs))()
        self._c.TF_SessionRun(
            *(self._session, None, inputs, values, len(inputs), outputs, found, len(outputs)),
            *(None, 0, None, self._status),
        )
        self._check()
        arrays = [self._array(ctypes.c_void_p(tensor)) for tensor in found]
        for tensor in found:
            self._c.TF_DeleteTensor(ctypes.c_void_p(tensor))
        return arrays

    def _output(self, name: str) -> Output:
        operation, _, index = name.rpartition(":")
        found = self._c.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise RuntimeError(f"The graph has no operation {operation!r}.")
        return Output(found, int(index))

    def _tensor(self, values: np.ndarray) -> tuple[ctypes.c_void_p, list[Any]]:
        """A tensor, and the memory of its strings, which it looks at."""
        texts = values.dtype.kind in "OS"
        kind = STRING if texts else next(kind for kind, name in TYPES.items() if values.dtype == name)
        size = STRING_BYTES * values.size if texts else values.nbytes
        dims = (ctypes.c_int64 * values.ndim)(*values.shape)
        made = ctypes.c_void_p(self._c.TF_AllocateTensor(kind, dims, values.ndim, ctypes.c_size_t(size)))
        data = self._c.TF_TensorData(made)
        if not texts:
            ctypes.memmove(data, np.ascontiguousarray(values).ctypes.data, size)
            return made, []
        kept = [ctypes.create_string_buffer(text, max(1, len(text))) for text in values.ravel().tolist()]
        for place, (text, buffer) in enumerate(zip(values.ravel().tolist(), kept, strict=True)):
            parts = (ctypes.c_size_t * 2).from_address(data + STRING_BYTES * place)
            parts[0], parts[1] = len(text) << 2 | VIEW, ctypes.addressof(buffer)
        return made, kept

    def _array(self, tensor: ctypes.c_void_p) -> np.ndarray:
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        kind, data = self._c.TF_TensorType(tensor), self._c.TF_TensorData(tensor)
        if kind != STRING:
            content = ctypes.string_at(data, self._c.TF_TensorByteSize(tensor))
            return np.frombuffer(content, TYPES[kind]).reshape(shape)
        texts = [_text(data + STRING_BYTES * place) for place in range(int(np.prod(shape)))]
        return np.array(texts, object).reshape(shape)


def _text(address: int) -> bytes:
    """The bytes of a `TF_TString`."""
    head = ctypes.c_size_t.from_address(address).value
    if head & 3 == SMALL:
        return ctypes.string_at(address + 1, (head & 0xFF) >> 2)
    pointer = ctypes.c_size_t.from_address(address + (16 if head & 3 == LARGE else 8)).value
    return ctypes.string_at(pointer, head >> 2)


def plain(values: np.ndarray) -> Any:
    """As JSON takes it."""
    if values.dtype == object:
        return np.array([text.decode() for text in values.ravel()], object).reshape(values.shape).tolist()
    return values.tolist()


def main() -> None:
    """Answer one request."""
    request, folder = json.load(sys.stdin), Path(sys.argv[1])
    session = CppSession(folder, scann=b"Addons>Scann" in (folder / "saved_model.pb").read_bytes())
    feeds = {}
    for name, given in request["feeds"].items():
        values = np.array(given["values"], object if given["dtype"] == "string" else given["dtype"])
        feeds[name] = np.vectorize(str.encode, [object])(values) if given["dtype"] == "string" else values
    answers = session.caller(feeds, list(request["fetches"].values()))()
    assert "tensorflow" not in sys.modules
    json.dump({name: plain(values) for name, values in zip(request["fetches"], answers, strict=True)}, sys.stdout)


if __name__ == "__main__":
    main()
