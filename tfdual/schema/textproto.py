"""Columns as a schema of `tensorflow-metadata`: the text format of TFX and NVIDIA Merlin, and Merlin's JSON."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format, text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tfdual.schema.column_schema import ColumnSchema
from tfdual.schema.feature import REMEMBERED, domain_of, to_column, to_feature

STRUCT_URL = "type.googleapis.com/google.protobuf.Struct"
DOMAIN_FIELDS = ("int_domain", "float_domain", "string_domain")
JOINED_FEATURES = ("sparse_feature", "weighted_feature")


def columns_from_text(text: str) -> list[ColumnSchema]:
    """The columns of a schema in protobuf's text format.

    Raises:
        ValueError: another text, or a feature that is no column.
    """
    try:
        return _columns(text_format.Parse(text, schema_pb2.Schema()))
    except text_format.ParseError as error:
        raise ValueError(f"it is no tensorflow-metadata schema in text format: {error}") from error


def columns_from_json(config: Mapping[str, Any]) -> list[ColumnSchema]:
    """The columns of a schema in the JSON form that Merlin writes: extra metadata without its type.

    Raises:
        ValueError: another JSON, or a feature that is no column.
    """
    try:
        features = [_with_typed_metadata(feature) for feature in config["feature"]]
        return _columns(json_format.ParseDict({**config, "feature": features}, schema_pb2.Schema()))
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no tensorflow-metadata schema in JSON: {error}") from error


def text_from_columns(columns: Sequence[ColumnSchema]) -> str:
    """The schema of these columns in protobuf's text format.

    Raises:
        ValueError: a column has a property that this form cannot hold.
    """
    domains: dict[str, dict[str, Any]] = {}
    for column in columns:
        reference = column.properties.get(REMEMBERED, {}).get("domain")
        if reference is not None and reference not in domains:
            domains[reference] = {kind: form | {"name": reference} for kind, form in domain_of(column).items()}
    schema = schema_pb2.Schema(feature=[to_feature(column, domains) for column in columns])
    for reference in dict.fromkeys(feature.domain for feature in schema.feature if feature.HasField("domain")):
        for field, form in domains[reference].items():
            json_format.ParseDict(form, getattr(schema, field).add())
    return text_format.MessageToString(schema, as_utf8=True)


def _columns(schema: schema_pb2.Schema) -> list[ColumnSchema]:
    for field in JOINED_FEATURES:
        if names := [feature.name for feature in getattr(schema, field)]:
            raise ValueError(
                f"The features {names} are joined from others ({field}); a column stands for itself. Remove them; an "
                'id list names its weights by the property "weights".'
            )
    domains = {
        domain.name: {field: json_format.MessageToDict(domain, preserving_proto_field_name=True)}
        for field in DOMAIN_FIELDS
        for domain in getattr(schema, field)
    }
    used = {feature.domain for feature in schema.feature if feature.HasField("domain")}
    others = [field.name for field, _ in schema.ListFields() if field.name not in ("feature", *DOMAIN_FIELDS)]
    if left := [*others, *(f"domain '{name}'" for name in domains if name not in used)]:
        warnings.warn(
            f"These parts of the schema belong to no column and are left out: {', '.join(left)}.", stacklevel=4
        )
    return [to_column(feature, domains) for feature in schema.feature]


def _with_typed_metadata(feature: Mapping[str, Any]) -> dict[str, Any]:
    annotation = dict(feature.get("annotation", {}))
    for key in ("extraMetadata", "extra_metadata"):
        if key in annotation:
            annotation[key] = [
                entry if "@type" in entry else {"@type": STRUCT_URL, "value": entry} for entry in annotation[key]
            ]
    return {**feature, "annotation": annotation}
