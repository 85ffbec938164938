"""Requests that TensorFlow Serving answers before it lets a version take traffic."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import tensorflow as tf

from tfdual._optional import require
from tfdual._typing import Tensor
from tfdual.serving.examples import to_examples
from tfdual.serving.served_graph import DEFAULT_TOWER, ServedGraph, signature_name

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST = 1_000  # TensorFlow Serving refuses a longer file


Request = tuple[str, Mapping[str, Tensor]]  # the name of a signature, and its inputs


def write_warm_up(folder: Path, requests: Iterable[Request]) -> Path:
    """Write the requests where TensorFlow Serving looks for them: a TFRecord file of `PredictionLog` messages.

    The first request to a graph is slow: TensorFlow chooses its kernels then. A server that starts with these has done
    so before its first user comes.

    Args:
        folder: path of a version of a model; the file goes into its `assets.extra`.
        requests: name of a signature, and its dense inputs by name, `(batch, ...)` each.

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
        for signature, inputs in requests:
            message = log.PredictionLog()
            predict = message.predict_log.request
            predict.model_spec.signature_name = signature
            for name, values in inputs.items():
                predict.inputs[name].CopyFrom(tf.make_tensor_proto(values))
            writer.write(message.SerializeToString())
            count += 1
    if not 0 < count <= MOST:
        raise ValueError(f"TensorFlow Serving takes 1 to {MOST:,} requests to warm up. Received {count:,}.")
    return path


def requests_of(queries: Mapping[str, Tensor], graph: ServedGraph) -> Iterator[Request]:
    """Each query alone and all together to `serving_default`; the first, and all, to the other signatures of queries.

    Each input has one row a query, which a server that merges requests insists on. A tower that reads other columns
    than these queries have gets none, nor do the signatures that take items.

    Args:
        queries: dense columns of the default tower, `(queries, ...)`, or one row for all.
        graph: ServedGraph.
    """
    rows = max(len(values) for values in queries.values())
    for tower, served in graph.towers.items():
        if not set(served.schema.column_names) <= set(queries):
            continue
        default, embed, examples = (
            signature_name(name, tower) for name in ("serving_default", "embed_query", "serving_examples")
        )
        columns = _repeated({name: queries[name] for name in served.schema.column_names}, rows)
        search = _repeated(graph.defaults[default] | columns, rows)
        alone = rows if tower == DEFAULT_TOWER else 1
        yield from ((default, {name: values[row : row + 1] for name, values in search.items()}) for row in range(alone))
        yield default, search
        for name, inputs in ((embed, columns), (examples, {"examples": to_examples(columns, served.schema)})):
            yield name, {name: values[:1] for name, values in inputs.items()}
            yield name, inputs


def _repeated(columns: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    return {name: tf.repeat(values, rows, axis=0) if len(values) < rows else values for name, values in columns.items()}
