"""Files for a server: read back by the messages and the parser that will read them."""

from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from tfdual.serving import Versions, write_server_files

# Of TensorFlow Serving 2.20's session_bundle_config.proto, which the package tensorflow-serving-api lacks.
WRAPPED = {
    "max_batch_size": (1, "Int64Value"),
    "batch_timeout_micros": (2, "Int64Value"),
    "max_enqueued_batches": (3, "Int64Value"),
    "num_batch_threads": (4, "Int64Value"),
    "thread_pool_name": (5, "StringValue"),
    "enable_large_batch_splitting": (8, "BoolValue"),
    "max_execution_batch_size": (9, "Int64Value"),
}


def batching_parameters() -> type:
    """The message of --batching_parameters_file."""
    kinds = descriptor_pb2.FieldDescriptorProto
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    file = descriptor_pb2.FileDescriptorProto(name="batching.proto", syntax="proto3", dependency=[wrappers.name])
    message = file.message_type.add(name="BatchingParameters")
    for name, (number, kind) in WRAPPED.items():
        message.field.add(
            name=name, number=number, type=kinds.TYPE_MESSAGE, type_name=f".google.protobuf.{kind}", label=1
        )
    message.field.add(name="allowed_batch_sizes", number=6, type=kinds.TYPE_INT64, label=kinds.LABEL_REPEATED)
    message.field.add(name="pad_variable_length_inputs", number=7, type=kinds.TYPE_BOOL, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(wrappers)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("BatchingParameters"))


@pytest.fixture
def store(tmp_path: Path) -> Versions:
    """One version, which is the stable one; the folder's name needs quotes."""
    store = Versions(tmp_path / "my: $books")
    store.publish(lambda path: (path / "saved_model.pb").write_text("graph"), {})
    store.promote(1)
    return store


def test_batching_parameters_are_what_the_server_reads(store: Versions) -> None:
    text = write_server_files(store.folder, cores=4)["batching.config"].read_text()
    read = text_format.Parse(text, batching_parameters()())
    assert read.max_batch_size.value == 1_024
    assert read.num_batch_threads.value == 4
    assert read.max_enqueued_batches.value == 4
    assert read.HasField("batch_timeout_micros")
    assert read.batch_timeout_micros.value == 0
    assert not read.pad_variable_length_inputs
    assert not read.enable_large_batch_splitting.value
    assert not read.allowed_batch_sizes


def test_both_services_get_the_flags_ports_and_folder(store: Versions) -> None:
    yaml = pytest.importorskip("yaml")
    composed = yaml.safe_load(write_server_files(store.folder, poll_seconds=7)["compose.yaml"].read_text())
    services = composed["services"]
    assert {name: service["profiles"] for name, service in services.items()} == {"stock": ["stock"], "scann": ["scann"]}
    assert services["stock"]["image"] == "${SERVING_IMAGE:-tensorflow/serving:2.20.0}"
    assert services["scann"]["image"] == "${SCANN_IMAGE:-google/tf-serving-scann:2.11.0}"
    there = "/models/my: $$books"  # Compose makes one $ of two
    for service in services.values():
        assert service["entrypoint"] == ["tensorflow_model_server"]
        assert service["command"] == [
            "--port=8500",
            "--rest_api_port=8501",
            f"--model_config_file={there}/model.config",
            "--model_config_file_poll_wait_seconds=7",
            "--allow_version_labels_for_unavailable_models=true",
            "--enable_batching=true",
            f"--batching_parameters_file={there}/batching.config",
        ]
        assert service["ports"] == ["8500:8500", "8501:8501"]
        assert service["volumes"] == [{"type": "bind", "source": ".", "target": there, "read_only": True}]


def test_versions_labels_and_changes_by_hand_stay_as_they_are(store: Versions) -> None:
    before = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}
    written = write_server_files(store.folder)
    assert {path: path.read_bytes() for path in before} == before
    assert {path for path in store.folder.rglob("*") if path.is_file()} == {*before, *written.values()}
    written["batching.config"].write_text("mine")
    with pytest.raises(FileExistsError, match="Pass overwrite=True"):
        write_server_files(store.folder)
    assert written["batching.config"].read_text() == "mine"
    assert write_server_files(store.folder, overwrite=True)["batching.config"].read_text() != "mine"
    assert [(version.number, version.labels) for version in store.list()] == [(1, ("stable",))]


def test_the_path_is_that_of_model_config(store: Versions) -> None:
    config = store.folder / "model.config"
    config.write_text(config.read_text().replace("/models/my: $books", "/srv/books"))
    assert 'target: "/srv/books"' in write_server_files(store.folder)["compose.yaml"].read_text()


def test_what_is_missing_is_named(tmp_path: Path, store: Versions) -> None:
    with pytest.raises(FileNotFoundError, match="no version has a label yet. Promote one"):
        write_server_files(tmp_path)
    with pytest.raises(ValueError, match="at least 1. Received 0 and 30"):
        write_server_files(store.folder, cores=0)
    assert not list(tmp_path.rglob("compose.yaml"))
