"""How Vespa searches the item embeddings."""

from dataclasses import dataclass

from tfdual.index.distances import check_distance

METRICS = {"dot": "dotproduct", "cosine": "angular", "l2": "euclidean"}
ITEM = "attribute(embedding)"


@dataclass(frozen=True)
class VespaIndex:
    """The distance of the search, and what the HNSW graph is built with.

    | `distance` | Vespa's metric | `closeness` |
    |---|---|---|
    | `"dot"` | `dotproduct` | `q . x` |
    | `"cosine"` | `angular` | `1 / (1 + arccos(q . x / (abs(q) abs(x))))` |
    | `"cosine"`, `unit_length` | `prenormalized-angular` | `1 / (2 - q . x)` |
    | `"l2"` | `euclidean` | `1 / (1 + abs(q - x))` |

    Args:
        distance: str. As of `tfdual.index`. Defaults to `"dot"`.
        unit_length: bool. Items and queries have length 1, which makes the cosine cheaper. The items are checked; the
            queries are yours to normalise. Defaults to `False`.
        max_links_per_node: int. Links of an item in the graph. Defaults to 16.
        neighbors_to_explore_at_insert: int. More make a better graph, more slowly. Defaults to 200.

    Raises:
        ValueError: an unknown distance, `unit_length` without the cosine, a number below 1.

    Example:
        >>> VespaIndex("cosine").metric
        'angular'
    """

    distance: str = "dot"
    unit_length: bool = False
    max_links_per_node: int = 16
    neighbors_to_explore_at_insert: int = 200

    def __post_init__(self) -> None:
        check_distance(self.distance)
        if self.unit_length and self.distance != "cosine":
            raise ValueError(f'unit_length goes with distance="cosine". Received {self.distance!r}.')
        for name in ("max_links_per_node", "neighbors_to_explore_at_insert"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1. Received {getattr(self, name)}.")

    @property
    def metric(self) -> str:
        """Vespa's name of the distance."""
        return "prenormalized-angular" if self.unit_length else METRICS[self.distance]

    def closeness_to(self, query: str) -> str:
        """A ranking expression: the closeness of the item to a query that was not searched with.

        Args:
            query: str. An expression of the type of the embedding.
        """
        if self.unit_length:
            return f"1 / (2 - reduce(l2_normalize({query}, x) * {ITEM}, sum))"
        if self.distance == "cosine":  # rounding takes a cosine over 1, where there is no arccos
            return f"1 / (1 + acos(max(-1, min(1, cosine_similarity({query}, {ITEM}, x)))))"
        if self.distance == "l2":
            return f"1 / (1 + euclidean_distance({query}, {ITEM}, x))"
        return f"reduce({query} * {ITEM}, sum)"
