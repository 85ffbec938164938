"""One artefact, asked as other programs ask it: saved_model_cli, bare TensorFlow, and TensorFlow Serving's messages."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tfdual
from tfdual import ColumnSchema, Retriever, Schema, Tags
from tfdual.tailoring.compression import EmbeddingCompressor

BOOK = {"domain": {"name": "book"}}
SCHEMA = Schema(
    [
        ColumnSchema("user", [Tags.USER_ID], dtype="string"),
        ColumnSchema("history", [Tags.USER], BOOK, is_list=True),
        ColumnSchema("likes", [Tags.USER, Tags.CATEGORICAL], dtype="string", is_list=True),
        ColumnSchema("taste", [Tags.USER], dtype="float32", dims=(None, 2)),
        ColumnSchema("mood", [Tags.USER], dtype="float32", properties={"nullable": True}),
        ColumnSchema("book", [Tags.ITEM_ID], BOOK),
        ColumnSchema("year", [Tags.ITEM], dtype="int64"),
        ColumnSchema("genres", [Tags.ITEM, Tags.CATEGORICAL], dtype="string", is_list=True),
    ]
)
COUNT, LARGE = 50, 1_000
BOOKS = {
    "book": [2**53 + i for i in range(COUNT)],
    "year": [1970 + i for i in range(COUNT)],
    "genres": [[["drama"], ["drama", "crime"], []][i % 3] for i in range(COUNT)],
}
# The first is known, the second has ids never seen and lists of them, the third empty lists.
QUERIES: dict[str, list] = {
    "user": ["ada", "never seen", ""],
    "history": [[2**53 + 1, 2**53 + 2], [7], []],
    "likes": [["crime"], ["opera", "jazz"], []],
    "taste": [[0.5, -1.0], [0.0, 0.0], [2.0, 1.0]],
    "mood": [0.25, -3.0, 1.5],
}
ITEMS: dict[str, list] = {"book": [2**53, 99, 2**53 + 4], "year": [1970, 1, 3000], "genres": [["drama"], ["opera"], []]}
PADDING = {"history": -1, "likes": "", "genres": "", "exclude": -1, "filter": ""}
EXCLUDE = [[2**53 + 3, 12345], [], [2**53 + 5]]
EXPRESSION, TERMS = "year >= 1975 and 'drama' in genres", ["year >= 1975", "genres has drama", "and"]
SIGNATURES = {"serving_default", "serving_examples", "embed_query", "embed_item", "score"}


class Made(NamedTuple):
    """The retriever, and the folder of its one version."""

    retriever: Retriever
    version: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    queries = {name: [QUERIES[name][i % 3] for i in range(COUNT)] for name in QUERIES}
    queries["user"] = [("ada", "bob")[i % 2] for i in range(COUNT)]
    rows = tfdual.read({**queries, **BOOKS}, SCHEMA)
    prep = tfdual.Preprocessor(SCHEMA).adapt(rows)
    options = tfdual.EmbeddingOptions(embeddings_initializers="glorot_normal")
    tower = tfdual.MLPBlock([8], no_activation_last_layer=True)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tower, embedding_options=options))
    model.build()
    items = rows.select(SCHEMA.select_by_tag(Tags.ITEM))
    retriever = model.to_retriever(items, preprocessor=prep, attributes=["year"], filters=["year", "genres"])
    return Made(retriever, retriever.export(tmp_path_factory.mktemp("models") / "books"))


def padded(columns: dict[str, list]) -> dict[str, Any]:
    """Lists made equally long."""
    ready = dict(columns)
    for name in set(PADDING) & set(columns):
        longest = max([1, *map(len, columns[name])])
        ready[name] = [[*row, *[PADDING[name]] * (longest - len(row))] for row in columns[name]]
    return ready


def repeated(columns: dict[str, list], rows: int) -> dict[str, list]:
    return {name: [values[i % len(values)] for i in range(rows)] for name, values in columns.items()}


def examples(queries: dict[str, list], **options: list) -> list[bytes]:
    """Each query as a serialised `tf.train.Example`, with its options."""
    messages = []
    for row in range(len(queries["user"])):
        example = tf.train.Example()
        for name, values in {**queries, **options}.items():
            given = values[row] if isinstance(values[row], list) else [values[row]]
            if not given:
                continue
            feature = example.features.feature[name]
            if all(isinstance(value, int) for value in given):
                feature.int64_list.value.extend(given)
            elif all(isinstance(value, float) for value in given):
                feature.float_list.value.extend(given)
            else:
                feature.bytes_list.value.extend(value.encode() for value in given)
        messages.append(example.SerializeToString())
    return messages


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=folder, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


CLI = "tensorflow.python.tools.saved_model_cli"


@pytest.mark.slow
def test_the_command_line_lists_the_signatures_and_their_inputs(made: Made, tmp_path: Path) -> None:
    shown = run("-m", CLI, "show", "--dir", str(made.version), "--all", folder=tmp_path)
    parts = {part.split("'")[0]: part for part in shown.split("signature_def['")[1:]}
    assert set(parts) == SIGNATURES | {"__saved_model_init_op"}
    query, item, options = set(QUERIES), set(ITEMS), {"k", "exclude", "filter"}
    inputs = {name: {line.split("'")[0] for line in parts[name].split("inputs['")[1:]} for name in SIGNATURES}
    assert inputs == {
        "serving_default": query | options,
        "serving_examples": {"examples"},
        "embed_query": query,
        "embed_item": item,
        "score": query | item,
    }


@pytest.mark.slow
def test_the_command_line_finds_what_python_finds(made: Made, tmp_path: Path) -> None:
    asked = padded(QUERIES) | {"k": [4], "exclude": padded({"exclude": EXCLUDE})["exclude"], "filter": [TERMS]}
    expressions = ";".join(f"{name}={values!r}" for name, values in asked.items())
    where = ["--dir", str(made.version), "--tag_set", "serve", "--signature_def", "serving_default"]
    run("-m", CLI, "run", *where, "--input_exprs", expressions, "--outdir", str(tmp_path), folder=tmp_path)
    wanted = made.retriever.search(QUERIES, k=4, exclude=EXCLUDE, filter=EXPRESSION)
    assert np.load(tmp_path / "id.npy").tolist() == wanted["id"].tolist()
    np.testing.assert_allclose(np.load(tmp_path / "score.npy"), wanted["score"], rtol=1e-5)


BARE = """
import json, sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
asked = json.load(open(sys.argv[2]))
for name, inputs in asked.items():
    signature = loaded.signatures[name]
    types = signature.structured_input_signature[1]
    if name == "serving_examples":
        inputs = {"examples": [bytes.fromhex(one) for one in inputs["examples"]]}
    found = signature(**{key: tf.constant(value, types[key].dtype) for key, value in inputs.items()})
    np.savez(sys.argv[3] + "/" + name, **{key: value.numpy() for key, value in found.items()})
others = {"tfdual", "keras", "scann", "tensorflow_text"} & set(sys.modules)
print(sorted(others - {"keras"}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, LARGE])
def test_a_process_of_tensorflow_alone_calls_each_signature(rows: int, made: Made, tmp_path: Path) -> None:
    queries, items = repeated(QUERIES, rows), repeated(ITEMS, rows)
    seen = repeated({"exclude": EXCLUDE}, rows)
    options = padded(seen) | {"k": [6], "filter": [TERMS]}
    asked = {
        "serving_default": padded(queries) | options,
        "serving_examples": {"examples": [one.hex() for one in examples(queries, exclude=seen["exclude"])]},
        "embed_query": padded(queries),
        "embed_item": padded(items),
        "score": padded({**items, **queries}),
    }
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    done = run("-c", BARE, str(made.version), str(tmp_path / "asked.json"), str(tmp_path), folder=tmp_path)
    assert done.splitlines()[-1] == "[]"
    found = {name: np.load(tmp_path / f"{name}.npz") for name in asked}
    require_answers(found, made.retriever, queries, items, seen["exclude"])


def require_answers(found: Any, here: Retriever, queries: dict, items: dict, seen: list) -> None:
    """Each signature gave what Python gives: ids, years and scores of 6 with the filter; of examples, 10 of all."""
    for name, wanted in (
        ("serving_default", here.search(queries, k=6, exclude=seen, filter=EXPRESSION)),
        ("serving_examples", here.search(queries, exclude=seen)),
    ):
        assert found[name]["id"].tolist() == wanted["id"].tolist()
        assert found[name]["year"].tolist() == wanted["year"].tolist()
        np.testing.assert_allclose(found[name]["score"], wanted["score"], rtol=1e-4, atol=1e-5)
    for name, values in (
        ("embed_query", here.embed_query(queries)),
        ("embed_item", here.embed_item(items)),
    ):
        np.testing.assert_allclose(found[name]["embedding"], values, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["score"]["score"], here.score(queries, items), rtol=1e-4, atol=1e-5)


def test_tensorflows_cpp_loader_answers_as_python_does(made: Made, tmp_path: Path) -> None:
    """In a process that has the C++ library alone, as a server has."""
    saved = saved_model_pb2.SavedModel.FromString((made.version / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    given = padded(QUERIES) | padded({"exclude": EXCLUDE}) | {"k": [6], "filter": [TERMS]}
    feeds = {
        signature.inputs[name].name: {"dtype": tf.as_dtype(signature.inputs[name].dtype).name, "values": values}
        for name, values in given.items()
    }
    fetches = {name: output.name for name, output in signature.outputs.items()}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parents[2] / "benchmarks" / "cpp_session.py"), str(made.version)],
        input=json.dumps({"feeds": feeds, "fetches": fetches}),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    wanted = made.retriever.search(QUERIES, k=6, exclude=EXCLUDE, filter=EXPRESSION)
    assert found["id"] == wanted["id"].tolist()
    assert found["year"] == wanted["year"].tolist()
    scores = np.where(np.isneginf(wanted["score"]), -np.inf, wanted["score"])
    np.testing.assert_allclose(found["score"], scores, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def predict(made: Made) -> Iterator[Callable[[Any], dict[str, np.ndarray]]]:
    """TensorFlow Serving's Predict: a session of the graph, fed by the tensor names of a signature and its defaults."""
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(made.version))

    def answer(request: Any) -> dict[str, np.ndarray]:
        signature = meta.signature_def[request.model_spec.signature_name]
        assert set(request.inputs) <= set(signature.inputs)
        given = {**signature.defaults, **request.inputs}
        feed = {signature.inputs[name].name: tf.make_ndarray(value) for name, value in given.items()}
        return session.run({name: value.name for name, value in signature.outputs.items()}, feed)

    yield answer
    session.close()


def request_of(version: Path, signature: str, inputs: dict[str, Any]) -> Any:
    """A PredictRequest, by the types that the file tells; read back from its bytes."""
    predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    types = saved.meta_graphs[0].signature_def[signature].inputs
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "books", signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, types[name].dtype))
    return predict_pb2.PredictRequest.FromString(request.SerializeToString())


@pytest.mark.parametrize("rows", [1, 3, LARGE])
def test_requests_of_each_signature_are_answered_as_in_python(rows: int, made: Made, predict: Callable) -> None:
    queries, items = repeated(QUERIES, rows), repeated(ITEMS, rows)
    seen = repeated({"exclude": EXCLUDE}, rows)
    inputs: dict[str, dict[str, Any]] = {
        "serving_default": padded(queries) | padded(seen) | {"k": [6], "filter": [TERMS]},
        "serving_examples": {"examples": examples(queries, exclude=seen["exclude"])},
        "embed_query": padded(queries),
        "embed_item": padded(items),
        "score": padded({**items, **queries}),
    }
    found = {name: predict(request_of(made.version, name, columns)) for name, columns in inputs.items()}
    require_answers(found, made.retriever, queries, items, seen["exclude"])


def test_what_a_request_leaves_out_is_filled_from_the_file(made: Made, predict: Callable) -> None:
    needed = {name: values for name, values in QUERIES.items() if name != "mood"}
    found = predict(request_of(made.version, "serving_default", padded(needed)))
    wanted = made.retriever.search(needed)
    assert found["id"].tolist() == wanted["id"].tolist()
    assert found["id"].shape == (3, 10)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must feed a value"):
        predict(request_of(made.version, "serving_default", padded({"likes": QUERIES["likes"]})))


def test_merged_examples_are_answered_as_each_alone(made: Made, predict: Callable) -> None:
    """What a server with batching does with requests of other lists, options and k."""
    options: dict[str, list] = {"k": [2, 12, 5], "exclude": EXCLUDE, "filter": [[], TERMS, ["year < 1980"]]}
    filters = [None, EXPRESSION, "year < 1980"]
    merged = predict(request_of(made.version, "serving_examples", {"examples": examples(QUERIES, **options)}))
    assert merged["id"].shape == (3, 12)
    for row, k in enumerate(options["k"]):
        query = {name: values[row : row + 1] for name, values in QUERIES.items()}
        alone = made.retriever.search(query, k=k, exclude=[EXCLUDE[row]], filter=filters[row])
        assert merged["id"][row].tolist() == alone["id"][0].tolist() + [-1] * (12 - k)
        assert (merged["score"][row, k:] == -np.inf).all()


@pytest.mark.parametrize("name", ["how are you", "_id", "Ärger", "self", "a/"])
def test_a_column_that_no_signature_can_name_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    vectors = {name: np.eye(4, dtype=np.float32)}
    compressor = EmbeddingCompressor(2).start_from_pca(vectors)
    index = tfdual.BruteForce().build(compressor.encode(vectors), space=compressor.embedding_space())
    retriever = compressor.to_retriever(index)
    assert retriever.search({name: vectors[name][:1]}, k=1)["id"].shape == (1, 1)
    with pytest.raises(ValueError, match="Rename the columns"):
        retriever.export(tmp_path / "model")
    assert not list(tmp_path.glob("model/*"))
