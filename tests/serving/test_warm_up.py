"""Requests to warm up, read back as TensorFlow Serving reads them."""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfdual import Retriever
from tfdual.serving.warm_up import write_warm_up


def test_requests_are_messages_that_hold_the_inputs(tmp_path: Path) -> None:
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    requests = [
        {"user": tf.constant(["Zoë", "u2"]), "likes": tf.constant([[2**62, -1], [3, 4]]), "k": tf.constant(5)},
        {"user": tf.constant(["u3"]), "likes": tf.zeros([1, 0], tf.int64), "k": tf.constant(1)},
    ]
    path = write_warm_up(tmp_path, [("serving_default", requests[0]), ("serving_b", requests[1])])
    assert path == tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    assert len(records) == 2
    for record, request, signature in zip(records, requests, ["serving_default", "serving_b"], strict=True):
        message = prediction_log_pb2.PredictionLog.FromString(record)
        assert message.WhichOneof("log_type") == "predict_log"
        assert message.predict_log.request.model_spec.signature_name == signature
        inputs = message.predict_log.request.inputs
        assert sorted(inputs) == sorted(request)
        for name, values in request.items():
            np.testing.assert_array_equal(tf.make_ndarray(inputs[name]), values.numpy())


def test_an_export_holds_the_queries_for_every_signature_that_takes_them(
    retriever: Retriever, queries: dict[str, list], tmp_path: Path
) -> None:
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    version = retriever.export(tmp_path / "model", warm_up=queries)
    signatures = tf.saved_model.load(str(version)).signatures
    answers = defaultdict(list)
    for record in tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests")):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        sizes = {values.tensor_shape.dim[0].size for values in request.inputs.values()}
        assert len(sizes) == 1  # a server with --enable_batching refuses others, and with them the version
        inputs = {name: tf.constant(tf.make_ndarray(values)) for name, values in request.inputs.items()}
        name = request.model_spec.signature_name
        answers[name].append(
            signatures[name](**inputs)["embedding" if name == "embed_query" else "id"].numpy().tolist()
        )
    first, second, third = wanted = retriever.search(queries)["id"].tolist()
    assert answers.pop("serving_default") == [[first], [second], [third], wanted]
    assert answers.pop("serving_examples") == [[first], wanted]
    one, every = answers.pop("embed_query")
    np.testing.assert_allclose(every, retriever.embed_query(queries), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one, every[:1], rtol=1e-4, atol=1e-5)
    assert not answers


def test_an_export_whose_requests_to_warm_up_are_wrong_publishes_nothing(
    retriever: Retriever, queries: dict[str, list], tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow_serving")
    for wrong, message in (
        ({"user_id": ["u3"]}, "lacks the columns"),
        ({name: values * 400 for name, values in queries.items()}, "1 to 1,000 requests to warm up. Received 1,205"),
    ):
        with pytest.raises(ValueError, match=message):
            retriever.export(tmp_path / "model", warm_up=wrong)
        assert not list(tmp_path.rglob("*.pb"))


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_file_that_tensorflow_serving_would_refuse_is_refused(count: int, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow_serving")
    with pytest.raises(ValueError, match=f"1 to 1,000 requests to warm up. Received {count:,}."):
        write_warm_up(tmp_path, [("serving_default", {"k": tf.constant(1)})] * count)


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorflow_serving"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    with pytest.raises(ImportError, match=r'pip install "tfdual\[serving\]"'):
        write_warm_up(tmp_path, [("serving_default", {"k": tf.constant(1)})])
