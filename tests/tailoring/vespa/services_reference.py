"""What Vespa's reference says of `services.xml` and of query profiles, as far as it is used here."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

MODEL = {"attributes": {"path": True, "url": False, "model-id": False}}
TEXT: dict = {"text": True}
EMBEDDER = {
    "transformer-model": ("1", MODEL),
    "max-tokens": ("?", TEXT),
    "transformer-input-ids": ("?", TEXT),
    "transformer-attention-mask": ("?", TEXT),
    "transformer-token-type-ids": ("?", TEXT),
    "transformer-output": ("?", TEXT),
    "pooling-strategy": ("?", TEXT),
}
COMPONENTS = {
    "hugging-face-embedder": EMBEDDER | {"tokenizer-model": ("1", MODEL), "normalize": ("?", TEXT)},
    "bert-embedder": EMBEDDER
    | {
        "tokenizer-vocab": ("1", MODEL),
        "transformer-start-sequence-token": ("?", TEXT),
        "transformer-end-sequence-token": ("?", TEXT),
    },
}
NODE = {"attributes": {"hostalias": True}}
CONTENT_NODE = {"attributes": {"hostalias": True, "distribution-key": True}}
DOCUMENT = {"attributes": {"type": True, "mode": True, "selection": False, "global": False}}
SERVICES = {
    "attributes": {"version": True},
    "children": {
        "container": (
            "*",
            {
                "attributes": {"id": False, "version": True},
                "children": {
                    "search": ("?", {}),
                    "document-api": ("?", {}),
                    "component": ("*", {"attributes": {"id": True, "type": True}, "types": COMPONENTS}),
                    "nodes": ("?", {"children": {"node": ("+", NODE)}}),
                },
            },
        ),
        "content": (
            "*",
            {
                "attributes": {"id": False, "version": True},
                "children": {
                    "min-redundancy": ("?", TEXT),
                    "documents": ("?", {"children": {"document": ("+", DOCUMENT)}}),
                    "nodes": ("?", {"children": {"node": ("+", CONTENT_NODE)}}),
                },
            },
        ),
    },
}
QUERY_PROFILE = {
    "attributes": {"id": True, "inherits": False, "type": False},
    "children": {"field": ("*", TEXT | {"attributes": {"name": True, "overridable": False}})},
}


def problems(element: Element, rule: dict, path: str = "") -> Iterator[str]:
    """What an element has that it may not have, and what it lacks."""
    path = f"{path}/{element.tag}"
    attributes = rule.get("attributes", {})
    yield from (f"{path} has the attribute {name}" for name in element.attrib.keys() - attributes.keys())
    needed = {name for name, is_needed in attributes.items() if is_needed}
    yield from (f"{path} lacks the attribute {name}" for name in needed - element.attrib.keys())
    if (element.text or "").strip() and not rule.get("text"):
        yield f"{path} has text"
    children = rule.get("children", {})
    if "types" in rule:
        if element.get("type") not in rule["types"]:
            yield f"{path} is of an unknown type"
            return
        children = rule["types"][element.get("type")]
    for name, (often, _) in children.items():
        count = len(element.findall(name))
        if (often in "1+" and not count) or (often in "1?" and count > 1):
            yield f"{path} has {count} of {name}"
    for child in element:
        if child.tag not in children:
            yield f"{path} has a {child.tag}"
        else:
            yield from problems(child, children[child.tag][1], path)
