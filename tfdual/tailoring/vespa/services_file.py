"""The XML of an application: its services, and its query profiles."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

NODE = "node1"


def services_xml(document: str, embedders: Sequence[Element]) -> str:
    """The file `services.xml`: search, feeding and embedders, and one content node.

    Args:
        document: str. Type of the documents.
        embedders: components.
    """
    services = Element("services", version="1.0")
    container = SubElement(services, "container", id="default", version="1.0")
    SubElement(container, "search")
    SubElement(container, "document-api")
    container.extend(embedders)
    SubElement(SubElement(container, "nodes"), "node", hostalias=NODE)
    content = SubElement(services, "content", id="content", version="1.0")
    SubElement(content, "min-redundancy").text = "1"
    SubElement(SubElement(content, "documents"), "document", type=document, mode="index")
    SubElement(SubElement(content, "nodes"), "node", {"hostalias": NODE, "distribution-key": "0"})
    return _text(services)


def query_profile_xml(name: str, document: str, query: str, candidates: int) -> str:
    """A file of `search/query-profiles`: the search that belongs to a rank profile.

    Args:
        name: str. Of both profiles.
        document: str. Type of the documents.
        query: str. The tensor to search with, `query(<query>)`.
        candidates: int. Items to find on each content node.
    """
    profile = Element("query-profile", id=name)
    yql = f"select * from {document} where {{targetHits: {candidates}}}nearestNeighbor(embedding, {query})"
    SubElement(profile, "field", name="yql").text = yql
    SubElement(profile, "field", name="ranking.profile").text = name
    return _text(profile)


def _text(root: Element) -> str:
    indent(root)
    return tostring(root, encoding="unicode") + "\n"
