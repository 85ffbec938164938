"""Files for a TensorFlow Serving in a container: how it batches, and how it is started."""

import json
from pathlib import Path

from tfdual.serving.folder_lock import locked
from tfdual.serving.manifest import flush_folder, write_flushed
from tfdual.serving.model_config import MODEL_CONFIG, base_path

BATCHING_CONFIG, COMPOSE = "batching.config", "compose.yaml"
LARGEST_REQUEST = 1_024
STOCK_IMAGE = "tensorflow/serving:2.20.0"
SCANN_IMAGE = "google/tf-serving-scann:2.11.0"

BATCHING = """\
# How TensorFlow Serving merges requests: --batching_parameters_file, with --enable_batching. Written by tfdual.
# Send `serving_examples`: its one input, `examples`, is of shape (batch,), so that any requests can be merged.

# Queries in a batch. A request of more is refused.
max_batch_size {{ value: {largest} }}

# Nobody waits for others: what came while all threads were busy is the next batch. Try 1000 under a high load.
batch_timeout_micros {{ value: 0 }}

# Batches at a time: one a core.
num_batch_threads {{ value: {cores} }}

# Full batches that may wait; then a request is refused at once (UNAVAILABLE) instead of answered late.
max_enqueued_batches {{ value: {cores} }}

# Never true: lists of different lengths would be filled up with their first value, which is an id.
pad_variable_length_inputs: false

# Never true: the parts of a request could come back with different numbers of columns, and can't be joined then.
enable_large_batch_splitting {{ value: false }}
"""

COMPOSED = """\
# TensorFlow Serving for this folder of versions. Written by tfdual. One of the two, by the kind of the index:
#   docker compose --profile stock up     BruteForce: TensorFlow's own ops, and tensorflow-text's, which the image has
#   docker compose --profile scann up     ScaNN: an image that has its op, in $SCANN_IMAGE
x-server: &server
  entrypoint: [tensorflow_model_server]
  command:
    - --port=8500
    - --rest_api_port=8501
    - {config}
    - --model_config_file_poll_wait_seconds={poll}
    - --allow_version_labels_for_unavailable_models=true
    - --enable_batching=true
    - {batching}
  ports: ["8500:8500", "8501:8501"]
  volumes: [{{type: bind, source: ., target: {there}, read_only: true}}]
  restart: unless-stopped
services:
  stock:
    <<: *server
    profiles: [stock]
    image: ${{SERVING_IMAGE:-{stock}}}
  scann:
    <<: *server
    profiles: [scann]
    # This one is of December 2022. Build one of your TensorFlow and scann where it doesn't load the model.
    image: ${{SCANN_IMAGE:-{scann}}}
"""


def write_server_files(
    folder: str | Path, cores: int = 2, poll_seconds: int = 30, overwrite: bool = False
) -> dict[str, Path]:
    """Write `batching.config` and `compose.yaml` beside the versions of a store; no version is touched.

    `docker compose --profile stock up` in the folder starts TensorFlow Serving with them and with `model.config`;
    `--profile scann` one that has ScaNN's op.

    Args:
        folder: path of a store of versions with a `model.config`: one of them was promoted.
        cores: int. Of the machine that serves. Defaults to 2.
        poll_seconds: int. How often the server looks for moved labels. Defaults to 30.
        overwrite: bool. Whether files that are there are written anew. Defaults to `False`.

    Returns:
        dict of name -> path.

    Raises:
        FileNotFoundError: there is no `model.config`: no version was promoted.
        FileExistsError: a file is there, and `overwrite` is False. Nothing is written.
        ValueError: numbers below 1, or a `model.config` that isn't tfdual's.
        OSError: the folder can't be written.

    Example:
        >>> import tempfile
        >>> from tfdual.serving import Versions
        >>> store = Versions(tempfile.mkdtemp())
        >>> version = store.publish(lambda path: (path / "saved_model.pb").write_text("graph"), {})
        >>> _ = store.promote(version.number)
        >>> sorted(write_server_files(store.folder))
        ['batching.config', 'compose.yaml']
    """
    if cores < 1 or poll_seconds < 1:
        raise ValueError(f"cores and poll_seconds are at least 1. Received {cores} and {poll_seconds}.")
    folder = Path(folder)
    path_there = base_path(folder)
    texts = {
        BATCHING_CONFIG: BATCHING.format(largest=LARGEST_REQUEST, cores=cores),
        COMPOSE: COMPOSED.format(
            stock=STOCK_IMAGE,
            scann=SCANN_IMAGE,
            config=_quoted(f"--model_config_file={path_there}/{MODEL_CONFIG}"),
            batching=_quoted(f"--batching_parameters_file={path_there}/{BATCHING_CONFIG}"),
            there=_quoted(path_there),
            poll=poll_seconds,
        ),
    }
    paths = {name: folder / name for name in texts}
    with locked(folder):
        if not overwrite and (there := [str(path) for path in paths.values() if path.exists()]):
            raise FileExistsError(f"{' and '.join(there)}: changed by hand? Pass overwrite=True to write them anew.")
        for name, path in paths.items():
            _replace(path, texts[name])
    flush_folder(folder)
    return paths


def _replace(path: Path, text: str) -> None:
    aside = path.with_name(f".writing-{path.name}")
    try:
        write_flushed(aside, text)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _quoted(text: str) -> str:
    """A string of YAML, in which Compose replaces nothing."""
    return json.dumps(text.replace("$", "$$"))
