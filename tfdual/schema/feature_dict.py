"""A feature of a `tensorflow-metadata` schema as a flat dictionary.

It is the feature's JSON form, except that the tags of the annotation stand under `"tag"` and each entry of the
annotation's `extra_metadata` under `"metadata."` and its name.
"""

import json
from typing import Any, TypeAlias

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from tensorflow_metadata.proto.v0 import schema_pb2

Feature: TypeAlias = dict[str, Any]
METADATA = "metadata."


def from_proto(proto: schema_pb2.Feature) -> Feature:
    """The dictionary of a feature.

    Raises:
        ValueError: the extra metadata is not one `google.protobuf.Struct`.
    """
    extra = proto.annotation.extra_metadata
    if len(extra) > 1 or not all(entry.Is(Struct.DESCRIPTOR) for entry in extra):
        raise ValueError("its extra_metadata must be one google.protobuf.Struct. Merge or remove the entries.")
    rest = schema_pb2.Feature()
    rest.CopyFrom(proto)
    rest.annotation.ClearField("tag")
    rest.annotation.ClearField("extra_metadata")
    if not rest.annotation.ListFields():
        rest.ClearField("annotation")
    metadata = Struct()
    for entry in extra:
        entry.Unpack(metadata)
    feature = json_format.MessageToDict(rest, preserving_proto_field_name=True)
    entries = _whole(json_format.MessageToDict(metadata))
    return feature | {"tag": list(proto.annotation.tag)} | {METADATA + key: value for key, value in entries.items()}


def to_proto(feature: Feature) -> schema_pb2.Feature:
    """The feature of a dictionary.

    Raises:
        TypeError: a value that JSON does not know.
        ParseError: a value of another type than the field's.
    """
    metadata = {key.removeprefix(METADATA): value for key, value in feature.items() if key.startswith(METADATA)}
    fields = {key: value for key, value in feature.items() if key != "tag" and not key.startswith(METADATA)}
    proto = json_format.ParseDict(fields, schema_pb2.Feature())
    proto.annotation.tag.extend(feature["tag"])
    if metadata:
        struct = json_format.ParseDict(json.loads(json.dumps(metadata)), Struct())
        proto.annotation.extra_metadata.add().Pack(struct, deterministic=True)
    return proto


def with_field(feature: Feature, key: str, value: Any) -> Feature:
    """A copy with one field set, or without it where `value` is None; fields that exclude it go."""
    if value is None and not key.startswith(METADATA):
        return {name: kept for name, kept in feature.items() if name != key}
    field = schema_pb2.Feature.DESCRIPTOR.fields_by_name.get(key)
    group = field.containing_oneof if field else None
    excluded = {other.name for other in group.fields} if group else set()
    return {name: kept for name, kept in feature.items() if name not in excluded} | {key: value}


def _whole(value: Any) -> Any:
    """A Struct knows floats only: whole ones become integers again."""
    if isinstance(value, dict):
        return {key: _whole(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_whole(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
