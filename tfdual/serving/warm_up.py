"""Requests that TensorFlow Serving answers before it lets a version take traffic."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import tensorflow as tf

from tfdual._optional import require
from tfdual._typing import Tensor

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST = 1_000  # TensorFlow Serving refuses a longer file


def write_warm_up(folder: Path, requests: Iterable[Mapping[str, Tensor]], signature: str = "serving_default") -> Path:
    """Write the requests where TensorFlow Serving looks for them: a TFRecord file of `PredictionLog` messages.

    The first request to a graph is slow: TensorFlow chooses its kernels then. A server that starts with these has done
    so before its first user comes.

    Args:
        folder: path of a version of a model; the file goes into its `assets.extra`.
        requests: dense inputs of the signature, by name, `(batch, ...)` each.
        signature: str. Defaults to `"serving_default"`.

    Returns:
        The path of the file.

    Raises:
        ImportError: the extra `serving` is missing.
        ValueError: no request, or more than 1,000.
    """
    log = require("tensorflow_serving.apis.prediction_log_pb2", extra="serving")
    path, count = folder / FILE, 0
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            message = log.PredictionLog()
            predict = message.predict_log.request
            predict.model_spec.signature_name = signature
            for name, values in request.items():
                predict.inputs[name].CopyFrom(tf.make_tensor_proto(values))
            writer.write(message.SerializeToString())
            count += 1
    if not 0 < count <= MOST:
        raise ValueError(f"TensorFlow Serving takes 1 to {MOST:,} requests to warm up. Received {count:,}.")
    return path


def alone_and_together(columns: dict[str, Tensor], defaults: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Each query as a request, and all of them as one; each input with one row a query, which a server that merges
    requests insists on.
    """
    rows = max(len(values) for values in columns.values())
    whole = {
        name: tf.repeat(values, rows, axis=0) if len(values) < rows else values
        for name, values in (defaults | columns).items()
    }
    return [*({name: values[row : row + 1] for name, values in whole.items()} for row in range(rows)), whole]
