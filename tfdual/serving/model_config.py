"""Labels of versions, in the file that TensorFlow Serving reads: `model.config`, in protobuf's text format."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from tfdual.serving.manifest import flush_folder, write_flushed

MODEL_CONFIG = "model.config"
ASIDE = ".writing-model.config"
HEADING = "# Written by tfdual; name and base_path may be changed. What each label names, and named before:\n"

Labels = dict[str, tuple[int, ...]]
"""Label -> the version that it names, the one that it named before, and so on."""

# TensorFlow Serving's model_server_config.proto, as far as one model needs it: its package is not a dependency.
FIELDS = {
    "ModelServerConfig": {"model_config_list": "ModelConfigList"},
    "ModelConfigList": {"config": "ModelConfig*"},
    "ModelConfig": {
        "name": "string",
        "base_path": "string",
        "model_platform": "string",
        "model_version_policy": "ServableVersionPolicy",
        "version_labels": "Label*",
    },
    "ServableVersionPolicy": {"latest": "Latest", "all": "All", "specific": "Specific"},
    "Latest": {"num_versions": "int64"},
    "All": {},
    "Specific": {"versions": "int64*"},
    "Label": {"key": "string", "value": "int64"},
}


def read_labels(folder: Path) -> Labels:
    """The labels of a store; none where it has no `model.config`.

    A label that somebody moved by hand is taken as moved.

    Raises:
        ValueError: the file is not one that tfdual writes.
    """
    try:
        text = (folder / MODEL_CONFIG).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    noted = {
        label: tuple(map(int, numbers.split())) for label, numbers in re.findall(r"^# ([\w-]+): ([\d ]+)$", text, re.M)
    }
    named = {entry.key: entry.value for entry in _parse(folder, text).version_labels}
    return {
        label: noted[label] if noted.get(label, ())[:1] == (number,) else (number, *noted.get(label, ()))
        for label, number in sorted(named.items())
    }


def base_path(folder: Path) -> str:
    """Where the server finds the versions, as `model.config` says.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the file is not one that tfdual writes.
    """
    path = folder / MODEL_CONFIG
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}: no version has a label yet. Promote one by `Versions.promote`.")
    return _parse(folder, path.read_text(encoding="utf-8", errors="replace")).base_path


@contextlib.contextmanager
def changed_labels(folder: Path, labels: Labels, newest: int) -> Iterator[None]:
    """Write `model.config` aside; when the block is done, put it in the place of the earlier one.

    Its `versions` are what each label names and named before, and the newest: TensorFlow Serving moves a label only to
    a version that it has loaded.
    """
    path, aside = folder / MODEL_CONFIG, folder / ASIDE
    config = _parse(folder, path.read_text(encoding="utf-8", errors="replace") if path.exists() else "")
    versions = {newest, *(number for numbers in labels.values() for number in numbers[:2])}
    config.model_version_policy.Clear()
    config.model_version_policy.specific.versions.extend(sorted(versions))
    del config.version_labels[:]
    for label, numbers in sorted(labels.items()):
        config.version_labels.add(key=label, value=numbers[0])
    whole = MESSAGES["ModelServerConfig"]()
    whole.model_config_list.config.append(config)
    noted = "".join(f"# {label}: {' '.join(map(str, numbers))}\n" for label, numbers in sorted(labels.items()))
    try:
        write_flushed(aside, HEADING + noted + text_format.MessageToString(whole))
        yield
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    flush_folder(folder)


def _parse(folder: Path, text: str) -> Any:
    """The one model of a `model.config`; with the defaults where the text is empty."""
    name = folder.resolve().name
    try:
        configs = text_format.Parse(text, MESSAGES["ModelServerConfig"]()).model_config_list.config
    except text_format.ParseError as error:
        raise ValueError(
            f"{folder / MODEL_CONFIG} is not one that tfdual writes: {error}. Move it away, and promote again."
        ) from error
    if not text:
        return MESSAGES["ModelConfig"](name=name, base_path=f"/models/{name}", model_platform="tensorflow")
    if len(configs) != 1:
        raise ValueError(
            f"{folder / MODEL_CONFIG} holds one model, that of its folder. Received {len(configs)}. "
            "Keep a file of several models elsewhere."
        )
    return configs[0]


def _messages(fields: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Message classes, in a pool of their own, so that TensorFlow Serving's own may be imported beside them."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="tfdual/model_config.proto", package="tfdual", syntax="proto3")
    for message, columns in fields.items():
        made = file.message_type.add(name=message)
        for number, (name, kind) in enumerate(columns.items(), 1):
            field = made.field.add(name=name, number=number)
            field.label = kinds.LABEL_REPEATED if kind.endswith("*") else kinds.LABEL_OPTIONAL
            if kind.rstrip("*") in fields:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".tfdual.{kind.rstrip('*')}"
            else:
                field.type = {"string": kinds.TYPE_STRING, "int64": kinds.TYPE_INT64}[kind.rstrip("*")]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tfdual.{name}")) for name in fields}


MESSAGES = _messages(FIELDS)
