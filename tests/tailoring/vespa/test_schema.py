"""The schema: what it declares, what it refers to, and what the index is built with."""

from pathlib import Path

import numpy as np
import pytest

from tests.tailoring.vespa.conftest import DIM
from tests.tailoring.vespa.package_reader import Package, parse_schema
from tfdual.tailoring import vespa


def test_whatever_a_profile_reads_is_declared_and_of_a_type_that_fits(package: Package) -> None:
    assert package.problems() == []
    assert set(package.profiles) == {
        "frozen",
        *("same", "same_searched", "tailored", "tailored_searched", "sum", "sum_searched"),
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("constant(transform_tailored)", "constant(W)"),
        ("query(q) * constant(transform_tailored)", "query(p) * constant(transform_tailored)"),
        (f"query(q) tensor<float>(x[{DIM}])", f"query(q) tensor<float>(x[{DIM + 1}])"),
        ("reduce(query(q) * constant(transform_tailored), sum, x)", "query(q) * constant(transform_tailored)"),
        ("constant(transform_tailored), sum, x), out, x)", "constant(transform_tailored), sum, x), w, x)"),
        ("closeness(field, embedding)", "closeness(field, vector)"),
        ("closeness(field, embedding)", "closeness(field, title)"),
    ],
)
def test_a_planted_fault_is_found(package: Package, tmp_path: Path, old: str, new: str) -> None:
    """The reader of these tests finds what it is meant to find."""
    text = (package.folder / "schemas" / "claims.sd").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "claims.sd").write_text(text.replace(old, new), encoding="utf-8")
    (tmp_path / "constants").symlink_to(package.folder / "constants")
    assert Package(tmp_path).problems() != []


@pytest.mark.parametrize("text", ["schema a {\n", "schema a {\n}\n}\n", "schema a {\n  field\n}\n"])
def test_a_schema_that_is_not_balanced_is_found(text: str) -> None:
    with pytest.raises(ValueError, match=r"not closed|closes nothing|no setting"):
        parse_schema(text)


def test_fields_have_the_types_of_the_columns(tmp_path: Path) -> None:
    attributes = {
        "seen": np.array([True, False]),
        "small": np.array([1, -2], np.int8),
        "middle": np.array([1, -2], np.int32),
        "unsigned": np.array([1, 2], np.uint32),
        "large": np.array([1, 2**60]),
        "half": np.array([0.5, 1], np.float16),
        "single": np.array([0.5, 1], np.float32),
        "number": np.array([0.5, 1]),
        "text": np.array(["a", "b"]),
        "some": ["a", None],
        "raw": np.array([b"a", "é".encode()], object),
    }
    application = vespa.VespaApplication("claims", vespa.VespaItems([7, 8], np.eye(2), attributes, "claim"))
    package = Package(application.write(tmp_path / "application"))
    assert package.fields == {
        "claim": "long",
        "seen": "bool",
        "small": "byte",
        "middle": "int",
        "unsigned": "long",
        "large": "long",
        "half": "float",
        "single": "float",
        "number": "double",
        "text": "string",
        "some": "string",
        "raw": "string",
        "embedding": "tensor<float>(x[2])",
    }
    for name, block in package.document.named("field").items():
        assert block.lines["indexing"] == ("attribute | index" if name == "embedding" else "attribute | summary")


def test_the_graph_has_the_distance_and_the_numbers_that_were_asked_for(tmp_path: Path) -> None:
    index = vespa.VespaIndex("l2", max_links_per_node=24, neighbors_to_explore_at_insert=300)
    application = vespa.VespaApplication("claims", vespa.VespaItems(["a"], [[1.0]]), index)
    field = Package(application.write(tmp_path / "application")).document.named("field")["embedding"]
    assert field.inner("attribute").lines == {"distance-metric": "euclidean"}
    assert field.inner("index").inner("hnsw").lines == {
        "max-links-per-node": "24",
        "neighbors-to-explore-at-insert": "300",
    }


@pytest.mark.parametrize(("distance", "metric"), [("dot", "dotproduct"), ("cosine", "angular"), ("l2", "euclidean")])
def test_distances_are_called_as_vespa_calls_them(distance: str, metric: str) -> None:
    assert vespa.VespaIndex(distance).metric == metric


def test_wrong_options_of_the_index_are_refused() -> None:
    with pytest.raises(ValueError, match="dot.*cosine.*l2"):
        vespa.VespaIndex("angular")
    with pytest.raises(ValueError, match="cosine"):
        vespa.VespaIndex("dot", unit_length=True)
    with pytest.raises(ValueError, match="at least 1"):
        vespa.VespaIndex(max_links_per_node=0)
