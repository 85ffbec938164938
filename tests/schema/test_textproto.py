"""Schemas of NVTabular, Merlin, Transformers4Rec and TFDV, read and written; expected columns are written by hand."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, text_format
from google.protobuf.struct_pb2 import Struct
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from tfdual.schema import ColumnSchema, Kind, Schema

FILES = Path(__file__).parent / "files"
NVTABULAR = [
    ColumnSchema(
        "reader_id",
        ["user_id", "categorical"],
        {
            "domain": {"name": "reader_id", "max": 610},
            "num_buckets": None,
            "start_index": 1,
            "embedding_sizes": {"cardinality": 611, "dimension": 64},
            "cat_path": ".//categories/unique.reader.parquet",
        },
        "int64",
    ),
    ColumnSchema(
        "shelf",
        ["item", "categorical"],
        {"domain": {"name": "shelf", "max": 18}},
        "int32",
        is_list=True,
        is_ragged=True,
    ),
    ColumnSchema("shop", ["seen_in"], {}, "string"),
    ColumnSchema("price", ["continuous"], {"domain": {"name": "price", "min": -2.9177291, "max": 1.5}}, "float64"),
    ColumnSchema("bought", ["target", "binary_classification"], {}, "int32"),
]
MERLIN_SHAPES = [
    ColumnSchema(
        "recent_books",
        ["categorical", "sequence"],
        {"domain": {"name": "book_id", "max": 9000}, "value_count": {"min": 1, "max": 20}},
        "int64",
        is_list=True,
    ),
    ColumnSchema("cover", ["embedding", "item"], {}, "float32", dims=(None, 8)),
    ColumnSchema("age", ["user"], {}, "int32"),
]
TRANSFORMERS4REC = [
    ColumnSchema("visit", ["session_id"], {"domain": {"name": "visit", "min": 1, "max": 11562}}),
    ColumnSchema(
        "book_id/list",
        ["item_id", "list", "House_Tag", "categorical"],
        {"domain": {"name": "book_id/list", "min": 1, "max": 51996}, "value_count": {"min": 2, "max": 185}},
        is_list=True,
    ),
    ColumnSchema(
        "hour/list",
        ["time"],
        {"domain": {"name": "hour/list", "min": 5.5e-06, "max": 1.75}, "value_count": {"min": 2, "max": None}},
        "float32",
        is_list=True,
    ),
    ColumnSchema("day", dtype="string"),
]
COMPANIES = {"name": "company", "values": ["Blue Cabs", "Grønn Taxi"]}
TFDV = [
    ColumnSchema("company", ["categorical"], {"domain": COMPANIES, "nullable": True}, "string"),
    ColumnSchema("partner", ["categorical"], {"domain": COMPANIES, "nullable": True}, "string"),
    ColumnSchema(
        "payment",
        ["categorical"],
        {"domain": {"name": "payment", "values": ["Cash", "Card"]}, "nullable": False},
        "string",
    ),
    ColumnSchema("borough", ["categorical"], {"domain": {"name": "borough", "values": ["North"]}}, "string"),
    ColumnSchema("fare", properties={"domain": {"min": 0.0}, "nullable": False}, dtype="float32"),
    ColumnSchema("picture", dtype="float32", dims=(None, 16)),
    ColumnSchema(
        "stops",
        properties={"domain": {"name": "stop", "min": 0, "max": 77}, "value_count": {"min": 0, "max": 5}},
        is_list=True,
    ),
    ColumnSchema("tip", properties={"domain": {"name": "tip"}, "nullable": True}, dtype="bool"),
]
EXPECTED = {
    "nvtabular.pbtxt": NVTABULAR,
    "merlin_shapes.pbtxt": MERLIN_SHAPES,
    "transformers4rec.pbtxt": TRANSFORMERS4REC,
    "tfdv.pbtxt": TFDV,
}


def without_file_form(schema: Schema) -> list[ColumnSchema]:
    plain = []
    for column in schema:
        properties = {key: value for key, value in column.properties.items() if key != "tfmd"}
        plain.append(ColumnSchema.from_dict(column.to_dict() | {"properties": properties}))
    return plain


def comparable(path: Path) -> dict[str, Any]:
    """The proto as plain data, tags in order and each Struct unpacked: what the two text forms share."""
    proto = text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    features = []
    for feature in proto.feature:
        feature.annotation.tag.sort()
        metadata = []
        for entry in feature.annotation.extra_metadata:
            entry.Unpack(struct := Struct())
            metadata.append(json_format.MessageToDict(struct))
        feature.annotation.ClearField("extra_metadata")
        features.append((json_format.MessageToDict(feature), metadata))
    proto.ClearField("feature")
    return {"features": features, "schema": json_format.MessageToDict(proto)}


def untagged(feature: dict[str, Any]) -> dict[str, Any]:
    annotation = feature.get("annotation", {})
    return feature | {"annotation": {key: value for key, value in annotation.items() if key != "tag"}}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_gives_the_columns_that_it_describes(name: str) -> None:
    schema = Schema.load(FILES / name)
    assert without_file_form(schema) == EXPECTED[name]
    for column, expected in zip(schema, EXPECTED[name], strict=True):
        assert {key: column.properties[key] for key in expected.properties} == expected.properties


@pytest.mark.parametrize("name", ["nvtabular.pbtxt", "merlin_shapes.pbtxt"])
def test_a_file_of_nvtabular_comes_back_as_the_same_proto(name: str, tmp_path: Path) -> None:
    Schema.load(FILES / name).save(tmp_path / name)
    assert comparable(tmp_path / name) == comparable(FILES / name)
    assert Schema.load(tmp_path / name) == Schema.load(FILES / name)


@pytest.mark.parametrize("name", ["transformers4rec.pbtxt", "tfdv.pbtxt"])
def test_a_file_without_tags_and_metadata_loses_nothing_else(name: str, tmp_path: Path) -> None:
    Schema.load(FILES / name).save(tmp_path / name)
    before, after = comparable(FILES / name), comparable(tmp_path / name)
    assert after["schema"] == before["schema"]
    assert [untagged(feature) for feature, _ in after["features"]] == [
        untagged(feature) for feature, _ in before["features"]
    ]


def test_a_life_cycle_is_kept_and_named() -> None:
    assert Schema.load(FILES / "tfdv.pbtxt")["fare"].properties["tfmd"]["lifecycle_stage"] == "DEPRECATED"


def test_a_change_wins_over_what_the_file_said(tmp_path: Path) -> None:
    schema = Schema.load(FILES / "tfdv.pbtxt")
    changed = schema.replace("company", properties=schema["company"].properties | {"domain": {"name": "firm"}})
    changed = changed.replace("picture", dims=(None, 4)).replace("fare", dtype="float64")
    changed.save(tmp_path / "schema.pbtxt")
    again = Schema.load(tmp_path / "schema.pbtxt")
    assert again["company"].properties["domain"] == {"name": "firm"}
    assert again["partner"].properties["domain"] == COMPANIES
    assert again["picture"].width == 4
    assert again["fare"].dtype == "float64"
    assert again["fare"].properties["tfmd"]["deprecated"] is True


def test_every_column_of_ours_comes_back(tmp_path: Path) -> None:
    genres = {"weights": "genre_weights", "delimiter": "|", "value_count": {"min": 1, "max": 6}, "nullable": True}
    schema = Schema(
        [
            ColumnSchema("user_id", ["user_id", "mine"], {"domain": {"name": "user", "max": 99}}, "string"),
            ColumnSchema("genres", ["item", "categorical"], genres, "string", is_list=True),
            ColumnSchema("genre_weights", ["weight"], dtype="float32", is_list=True),
            ColumnSchema("year", ["continuous"], {"domain": {"min": 1900, "max": 2030}}, "int32"),
            ColumnSchema(
                "score", properties={"domain": {"max": 1 / 3}, "note": [1, 2.5, {"a": None}]}, dtype="float64"
            ),
            ColumnSchema("vector", ["embedding"], dtype="float32", dims=(None, 3)),
            ColumnSchema("fresh", dtype="bool"),
            ColumnSchema("fixed", is_list=True, is_ragged=False),
            ColumnSchema("words", ["text"], {"domain": {"name": "w", "values": ["a"]}, "nullable": False}, "string"),
        ]
    )
    for suffix in ("pbtxt", "textproto", "json"):
        schema.save(tmp_path / f"schema.{suffix}")
        assert Schema.load(tmp_path / f"schema.{suffix}") == schema


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(["int64", "int32", "float32", "float64", "string", "bool"]),
    tags=st.sets(st.sampled_from(["user", "item_id", "categorical", "text", "time", "Mine"])),
    lengths=st.sampled_from(
        [None, (None, 1), (None, 7), (None, None), (None, (0, 1)), (None, (2, 9)), (None, (3, None))]
    ),
    nullable=st.sampled_from([None, True, False]),
    domain=st.sampled_from([None, {}, {"name": "d"}, {"min": 0, "max": 4}, {"name": "d", "max": 16777217}]),
)
def test_any_column_survives_the_text_format(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, tags: set, lengths: Any, nullable: Any, domain: Any
) -> None:
    properties = {"nullable": nullable, "domain": domain}
    properties = {key: value for key, value in properties.items() if value is not None}
    schema = Schema([ColumnSchema("x", tags, properties, dtype, dims=lengths)])
    path = tmp_path_factory.mktemp("any") / "schema.pbtxt"
    schema.save(path)
    assert Schema.load(path) == schema


def test_the_written_proto_is_what_merlin_and_tfdv_read(tmp_path: Path) -> None:
    column = ColumnSchema(
        "genres",
        ["item", "categorical"],
        {"domain": {"name": "genre", "min": 0, "max": 18}, "value_count": {"min": 1, "max": 6}, "nullable": True},
        "int32",
        is_list=True,
    )
    Schema([column]).save(tmp_path / "schema.pbtxt")
    proto = text_format.Parse((tmp_path / "schema.pbtxt").read_text(), schema_pb2.Schema())
    (feature,) = proto.feature
    assert (feature.name, feature.type) == ("genres", schema_pb2.INT)
    assert feature.int_domain == schema_pb2.IntDomain(name="genre", min=0, max=18, is_categorical=True)
    assert feature.value_count == schema_pb2.ValueCount(min=1, max=6)
    assert feature.presence.min_fraction < 1
    assert list(feature.annotation.tag) == ["categorical", "item"]
    feature.annotation.extra_metadata[0].Unpack(struct := Struct())
    assert dict(struct) == {"is_list": True, "is_ragged": True, "dtype_item_size": 32}


@pytest.mark.parametrize(
    "text, message",
    [
        ('feature { name: "a" type: STRUCT struct_domain {} }', "Feature 'a': it holds other features"),
        ('feature { name: "a" shape { dim { size: 2 } dim { size: 3 } } }', "Feature 'a': .*lists in lists"),
        ('feature { name: "a" value_counts { value_count {} value_count {} } }', "Feature 'a': .*lists in lists"),
        ('feature { name: "a" type: BYTES domain: "b" }', "Feature 'a': .*domain 'b'.* does not define"),
        ('feature { name: "a" annotation { tag: "id" tag: "continuous" } }', "Feature 'a': .*exclude each other"),
        ('feature { name: "a" annotation { extra_metadata { type_url: "x/y" } } }', "Feature 'a': .*Struct"),
        ('sparse_feature { name: "s" }', r"\['s'\] are joined .*sparse_feature"),
        ('weighted_feature { name: "w" }', r"\['w'\] are joined .*weights"),
        ("features: 7", "no tensorflow-metadata schema"),
        ('feature { name: "a" } feature { name: "a" }', r"more than once: \['a'\]"),
    ],
)
def test_what_columns_cannot_hold_is_refused_by_name(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "schema.pbtxt").write_text(text)
    with pytest.raises(ValueError, match=f"schema.pbtxt is not a schema file: .*{message}"):
        Schema.load(tmp_path)


def test_what_belongs_to_no_column_is_said(tmp_path: Path) -> None:
    text = 'feature { name: "a" } default_environment: "TRAINING" string_domain { name: "loose" value: "x" }'
    (tmp_path / "schema.pbtxt").write_text(text)
    with pytest.warns(UserWarning, match="default_environment, domain 'loose'"):
        assert Schema.load(tmp_path).column_names == ["a"]


@pytest.mark.parametrize("value", [2**53 + 1, float("inf"), {1, 2}, b"raw"])
def test_a_property_that_would_change_is_refused(value: Any, tmp_path: Path) -> None:
    schema = Schema([ColumnSchema("x", properties={"note": value})])
    with pytest.raises(ValueError, match=r"Column 'x' cannot be written .*note.*\.json"):
        schema.save(tmp_path / "schema.pbtxt")


def test_a_folder_of_merlin_is_read(tmp_path: Path) -> None:
    metadata = {"is_list": True, "is_ragged": False, "dtype_item_size": 32.0, "_dims": [[0.0, None], 8.0]}
    feature = {
        "name": "cover",
        "type": "FLOAT",
        "valueCount": {"min": "8", "max": "8"},
        "annotation": {"tag": ["item"], "extraMetadata": [metadata]},
    }
    (tmp_path / ".merlin").mkdir()
    (tmp_path / ".merlin" / "schema.json").write_text(json.dumps({"feature": [feature]}))
    (cover,) = Schema.load(tmp_path)
    assert (cover.dtype, cover.width, cover.kind, cover.tags) == ("float32", 8, Kind.EMBEDDING, {"item"})


def test_a_damaged_merlin_json_is_one_clear_error(tmp_path: Path) -> None:
    for content in ('{"feature": [{"nom": 1}]}', '{"feature": [7]}', '{"feature": 7}'):
        (tmp_path / "schema.json").write_text(content)
        with pytest.raises(ValueError, match="is not a schema file: it is no tensorflow-metadata schema in JSON"):
            Schema.load(tmp_path)


def test_an_empty_schema_comes_back(tmp_path: Path) -> None:
    Schema().save(tmp_path / "schema.pbtxt")
    assert Schema.load(tmp_path) == Schema()


def test_what_the_schema_imports_loads_no_tensorflow() -> None:
    code = (
        "import sys, google.protobuf.struct_pb2, pyarrow\n"
        "from tensorflow_metadata.proto.v0 import schema_pb2\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
