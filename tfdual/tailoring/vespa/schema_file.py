"""The schema of an application: the document, and the rank profiles."""

from collections.abc import Sequence

from tfdual.tailoring.vespa.constant_transform import ConstantTransform
from tfdual.tailoring.vespa.tensors import tensor_type
from tfdual.tailoring.vespa.text_blocks import block
from tfdual.tailoring.vespa.vespa_index import VespaIndex
from tfdual.tailoring.vespa.vespa_items import EMBEDDING, VespaItems

CLOSENESS = block("first-phase", f"expression: closeness(field, {EMBEDDING})")


def schema_text(name: str, items: VespaItems, index: VespaIndex, profiles: Sequence[str]) -> str:
    """The file `schemas/<name>.sd`.

    Args:
        name: str. Of the schema and its document.
        items: VespaItems. Their fields.
        index: VespaIndex.
        profiles: rank profiles.
    """
    stored = "indexing: attribute | summary"
    fields = [block(f"field {field} type {kind}", stored) for field, kind in items.fields.items()]
    embedding = block(
        f"field {EMBEDDING} type {tensor_type(x=items.dim)}",
        "indexing: attribute | index",
        block("attribute", f"distance-metric: {index.metric}"),
        block(
            "index",
            block(
                "hnsw",
                f"max-links-per-node: {index.max_links_per_node}",
                f"neighbors-to-explore-at-insert: {index.neighbors_to_explore_at_insert}",
            ),
        ),
    )
    return block(f"schema {name}", block(f"document {name}", *fields, embedding), *profiles) + "\n"


def frozen_profile(dim: int) -> str:
    """The query as it comes: what is nearest to it."""
    return block("rank-profile frozen", block("inputs", f"query(q) {tensor_type(x=dim)}"), CLOSENESS)


def rescored_profile(transform: ConstantTransform, index: VespaIndex) -> str:
    """The search takes the query as it comes; what it found is scored by the transformed query."""
    return block(
        f"rank-profile {transform.name} inherits frozen",
        "# nearestNeighbor takes query(q) as it came: the transform orders what was found, and finds nothing else.",
        block("constants", transform.declaration),
        block("function transformed_query()", f"expression: {transform.expression}"),
        block("first-phase", f"expression: {index.closeness_to('transformed_query')}"),
    )


def searched_profile(transform: ConstantTransform) -> str:
    """The search takes a query that was transformed before it came."""
    return block(
        f"rank-profile {searched_name(transform)}",
        f"# query({transform.name}) comes transformed already, and is what nearestNeighbor takes.",
        block("inputs", f"query({transform.name}) {tensor_type(x=transform.dim)}"),
        CLOSENESS,
    )


def searched_name(transform: ConstantTransform) -> str:
    """The profile, and the query profile, of a search by the transformed query."""
    return f"{transform.name}_searched"
