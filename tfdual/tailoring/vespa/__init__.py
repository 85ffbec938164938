"""A Vespa application package of frozen embeddings and what was tailored to them."""

from tfdual.tailoring.vespa.vespa_application import VespaApplication
from tfdual.tailoring.vespa.vespa_index import VespaIndex
from tfdual.tailoring.vespa.vespa_items import VespaItems
from tfdual.tailoring.vespa.vespa_query_tower import VespaQueryTower
from tfdual.tailoring.vespa.vespa_reranker import VespaReranker

__all__ = ["VespaApplication", "VespaIndex", "VespaItems", "VespaQueryTower", "VespaReranker"]
