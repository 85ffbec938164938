"""One column as a feature of a `tensorflow-metadata` schema, and back."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from google.protobuf.json_format import ParseError
from tensorflow_metadata.proto.v0 import schema_pb2

from tfdual.schema.column_schema import ColumnSchema
from tfdual.schema.feature_dict import METADATA, Feature, from_proto, to_proto, with_field
from tfdual.schema.list_lengths import ANY, Bounds, bounds_of_dims
from tfdual.schema.tags import Tags, as_tags

Domains: TypeAlias = Mapping[str, Feature]

REMEMBERED = "tfmd"
ABSENT = "absent"
FORMS = {
    "bool": ("INT", "bool_domain", 8),
    "int32": ("INT", "int_domain", 32),
    "int64": ("INT", "int_domain", 64),
    "float32": ("FLOAT", "float_domain", 32),
    "float64": ("FLOAT", "float_domain", 64),
    "string": ("BYTES", "string_domain", None),
}
IN_FIELDS = {"domain", "value_count", "nullable", REMEMBERED}
NO_PROPERTIES = {METADATA + key for key in ("is_list", "is_ragged", "dtype_item_size", "_dims", "domain")}


def to_column(proto: schema_pb2.Feature, domains: Domains) -> ColumnSchema:
    """The column that a feature describes.

    What a column does not say itself, such as the feature's life cycle, stands in the property `"tfmd"`.

    Args:
        proto: Feature. The feature.
        domains: mapping. The domains that features refer to: name -> `{"string_domain": {...}}` or another kind.

    Raises:
        ValueError: what one column cannot hold, such as nested features.
    """
    try:
        feature = from_proto(proto)
        column = _meaning(feature, domains)
    except ValueError as error:
        raise ValueError(f"Feature '{proto.name}': {error}") from error
    plain = _plain(column)
    remembered = {key: value for key, value in feature.items() if key != "tag" and plain.get(key, ABSENT) != value}
    remembered |= {key: None for key in plain if key not in feature and not key.startswith(METADATA)}
    return column.with_properties({REMEMBERED: remembered}) if remembered else column


def to_feature(column: ColumnSchema, domains: Domains) -> schema_pb2.Feature:
    """The feature of a column; `to_column` gives the same column back.

    What was remembered of the file that the column came from is written again where it still holds.

    Raises:
        ValueError: the column has a property that this form cannot hold.
    """
    properties = dict(column.properties)
    remembered = properties.pop(REMEMBERED, {})
    bare = ColumnSchema.from_dict({**column.to_dict(), "properties": properties})
    try:
        feature = _plain(bare)
        lost = not _means(feature, bare, domains)
    except (TypeError, ValueError, ParseError) as error:
        raise ValueError(_no_feature(bare, str(error))) from error
    if lost:
        raise ValueError(_no_feature(bare, "reading it would give another column"))
    for key, value in remembered.items():
        candidate = with_field(feature, key, value)
        feature = candidate if _means(candidate, bare, domains) else feature
    return to_proto(feature)


def domain_of(column: ColumnSchema) -> Feature:
    """The column's domain as one that features may refer to: `{"string_domain": {...}}`, or empty."""
    field = FORMS[column.dtype][1]
    domain = _plain(column).get(field, {})
    return {field: {key: value for key, value in domain.items() if key != "is_categorical"}}


def _no_feature(column: ColumnSchema, reason: str) -> str:
    return (
        f"Column '{column.name}' cannot be written as a feature of tensorflow-metadata: {reason}. Its properties are "
        f"{dict(column.properties)}. Make them plain data, or save the schema as .json."
    )


def _means(feature: Feature, column: ColumnSchema, domains: Domains) -> bool:
    try:
        found = _meaning(from_proto(to_proto(feature)), domains)
    except (ValueError, ParseError):
        return False
    return found.to_dict() == json.loads(json.dumps(column.to_dict()))


def _meaning(feature: Feature, domains: Domains) -> ColumnSchema:
    """The column, without what it cannot say."""
    if (reference := feature.get("domain")) is not None:
        if reference not in domains:
            raise ValueError(f"it refers to the domain '{reference}', which the schema does not define. Define it.")
        feature = feature | domains[reference]
    dtype = _dtype(feature)
    bounds = _bounds(feature)
    domain, is_categorical = _domain(feature, dtype)
    properties = {
        key.removeprefix(METADATA): value
        for key, value in feature.items()
        if key.startswith(METADATA) and key not in NO_PROPERTIES
    }
    if domain is not None:
        properties["domain"] = domain
    if bounds not in (None, ANY):
        properties["value_count"] = dict(zip(("min", "max"), bounds or ANY, strict=True))
    if (nullable := _nullable(feature, bounds)) is not None:
        properties["nullable"] = nullable
    tags = [*feature["tag"], *([Tags.CATEGORICAL] if is_categorical else [])]
    ragged = feature.get(METADATA + "is_ragged")
    return ColumnSchema(feature["name"], tags, properties, dtype, bounds is not None, ragged)


def _plain(column: ColumnSchema) -> Feature:
    """The feature that says what the column says and no more."""
    kind, domain_field, size = FORMS[column.dtype]
    feature: Feature = {"name": column.name, "type": kind, "tag": sorted(map(str, column.tags))}
    feature |= {METADATA + key: value for key, value in column.properties.items() if key not in IN_FIELDS}
    feature |= {METADATA + "is_list": column.is_list, METADATA + "is_ragged": column.is_ragged}
    if size:
        feature[METADATA + "dtype_item_size"] = size
    if column.dtype == "bool":
        feature[domain_field] = {}
    if column.is_list:
        counts = zip(("min", "max"), column.value_count, strict=True)
        feature["value_count"] = {key: count for key, count in counts if count}
    if "nullable" in column.properties:
        feature["presence"] = {"min_fraction": 0.0 if column.nullable else 1.0}
    if (domain := column.properties.get("domain")) is not None:
        feature |= _domain_fields(domain, column)
    return from_proto(to_proto(feature))


def _dtype(feature: Feature) -> str:
    kind = feature.get("type", "TYPE_UNKNOWN")
    if kind == "STRUCT" or "struct_domain" in feature:
        raise ValueError("it holds other features (STRUCT); a column holds a value or one list a row. Flatten it.")
    if kind == "TYPE_UNKNOWN":
        kind = next((kind for kind, domain, _ in FORMS.values() if domain in feature), "BYTES")
    if kind == "BYTES":
        return "string"
    size = feature.get(METADATA + "dtype_item_size")
    if kind == "FLOAT":
        return "float64" if size == 64 else "float32"
    if "bool_domain" in feature:
        return "bool"
    return "int32" if size and size <= 32 else "int64"


def _bounds(feature: Feature) -> Bounds | None:
    """The bounds of the list's length; None for a single value."""
    if dims := feature.get(METADATA + "_dims"):
        return bounds_of_dims(feature["name"], dims) if len(dims) > 1 else None
    is_list = feature.get(METADATA + "is_list", False)
    if "shape" in feature:
        sizes = [int(dim.get("size", 0)) for dim in feature["shape"].get("dim", [])]
        levels = [{"min": size, "max": size} if size > 0 else {} for size in sizes]
    elif "value_counts" in feature:
        levels = feature["value_counts"].get("value_count", [])
    else:
        levels = [feature["value_count"]] if "value_count" in feature else []
    if len(levels) > 1:
        raise ValueError("its values are lists in lists; a column holds one list a row at most. Flatten it.")
    if not levels:
        return ANY if is_list else None
    lowest, highest = (int(levels[0].get(key, 0)) for key in ("min", "max"))
    return None if highest == 1 and not is_list else (lowest, highest or None)


def _nullable(feature: Feature, bounds: Bounds | None) -> bool | None:
    if bounds is None and "value_count" in feature and not int(feature["value_count"].get("min", 0)):
        return True
    return feature["presence"].get("min_fraction", 0.0) < 1.0 if "presence" in feature else None


def _domain(feature: Feature, dtype: str) -> tuple[dict[str, Any] | None, bool]:
    """The property `"domain"`, and whether the feature's domain says that it is categorical."""
    kind, field, _ = FORMS[dtype]
    found = feature.get(field)
    elsewhere = feature.get(METADATA + "domain")
    if elsewhere is None and (found is None or (dtype == "bool" and "name" not in found)):
        return None, False
    found = found or {}
    domain = {"name": found["name"]} if "name" in found else {}
    if kind == "BYTES":
        domain |= {"values": found["value"]} if "value" in found else {}
        explicit = found.get("is_categorical", "CATEGORICAL_UNSPECIFIED")
        is_text = Tags.TEXT in as_tags(feature["tag"])
        categorical = explicit == "CATEGORICAL_YES" or (
            explicit != "CATEGORICAL_NO" and "value" in found and not is_text
        )
    else:
        number = int if kind == "INT" else float
        domain |= {key: number(found[key]) for key in ("min", "max") if key in found}
        categorical = kind == "INT" and found.get("is_categorical", False)
    return domain | (elsewhere or {}), categorical


def _domain_fields(domain: Mapping[str, Any], column: ColumnSchema) -> Feature:
    """The feature's domain, and under `metadata.domain` what a domain of its type cannot hold."""
    kind, field, _ = FORMS[column.dtype]
    is_categorical = Tags.CATEGORICAL in column.tags
    form: Feature = {"name": domain["name"]} if "name" in domain else {}
    if kind == "BYTES":
        form |= {"value": domain["values"]} if "values" in domain else {}
        form["is_categorical"] = "CATEGORICAL_YES" if is_categorical else "CATEGORICAL_NO"
    elif column.dtype != "bool":
        number = int if kind == "INT" else float
        form |= {key: number(domain[key]) for key in ("min", "max") if domain.get(key) is not None}
        form |= {"is_categorical": True} if kind == "INT" and is_categorical else {}
    written = from_proto(to_proto({"tag": [], field: form}))
    held, _ = _domain(written, column.dtype)
    left = {key: value for key, value in domain.items() if (held or {}).get(key, ABSENT) != value}
    return {field: form} | ({METADATA + "domain": left} if left or held is None else {})
