"""A Vespa application package."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from tfdual._aside import made_aside
from tfdual.serving.item_embeddings import ItemEmbeddings
from tfdual.tailoring.vespa import schema_file
from tfdual.tailoring.vespa.constant_transform import ConstantTransform
from tfdual.tailoring.vespa.feed import write_feed
from tfdual.tailoring.vespa.names import NO_DOCUMENT, YQL_WORDS, check_name
from tfdual.tailoring.vespa.services_file import query_profile_xml, services_xml
from tfdual.tailoring.vespa.vespa_index import VespaIndex
from tfdual.tailoring.vespa.vespa_items import VespaItems
from tfdual.tailoring.vespa.vespa_query_tower import VespaQueryTower
from tfdual.tailoring.vespa.vespa_reranker import FILE as RERANKER_FILE
from tfdual.tailoring.vespa.vespa_reranker import VespaReranker

FEED = "feed.jsonl"
NO_TRANSFORM = YQL_WORDS | {"default", "frozen", "q", "reranked", "unranked"}


class VespaApplication:
    """Frozen item embeddings in Vespa, with tailored ways to rank them: an application package and its feed.

    | rank profile | searched with | ranked by |
    |---|---|---|
    | `frozen` | `query(q)` | its closeness |
    | `<transform>` | `query(q)` | the closeness of the transformed `query(q)` |
    | `<transform>_searched` | `query(<transform>)`, transformed before it came | its closeness |
    | `reranked` | `query(q)` | an ONNX model of `query(q)` and the item |

    Each has a query profile of its name, which holds the search. See `docs/vespa.md`.

    Args:
        name: str. Of the schema and its documents: an identifier.
        items: VespaItems, or the ItemEmbeddings of `embed_items`.
        index: VespaIndex. Defaults to `None`: the dot product.
        transforms: name -> matrix `(dim, dim)` of the query, e.g. `LinearTransform.matrix()`, or scale `(dim,)`.
            Defaults to none.
        reranker: VespaReranker. Defaults to `None`.
        query_towers: name -> VespaQueryTower, for `embed(<name>, "...")` in a query. Defaults to none.
        namespace: str. Of the document ids. Defaults to `None`: the name.
        candidates: int. Items that the search finds on each content node; all are re-ranked. Defaults to 100.

    Raises:
        ImportError: there are ONNX files, and the extra `onnx` is not installed.
        TypeError: items or weights of another type; candidates that are no whole number.
        ValueError: a name that Vespa doesn't take, or two of one name; a width that isn't the items'; NaN; an ONNX file
            or a tokenizer that doesn't fit.

    Example:
        >>> import tempfile
        >>> items = VespaItems(["a", "b"], np.eye(2), {"year": [1999, 2004]})
        >>> application = VespaApplication("claims", items, transforms={"tailored": [[0.0, 1.0], [1.0, 0.0]]})
        >>> folder = application.write(tempfile.mkdtemp() + "/application")
        >>> sorted(path.name for path in folder.rglob("*.*"))
        ['.vespaignore', 'claims.sd', 'feed.jsonl', 'frozen.xml', 'services.xml', 'tailored.xml',
         'tailored_searched.xml', 'transform_tailored.json']
    """

    def __init__(
        self,
        name: str,
        items: VespaItems | ItemEmbeddings,
        index: VespaIndex | None = None,
        transforms: Mapping[str, np.ndarray] | None = None,
        reranker: VespaReranker | None = None,
        query_towers: Mapping[str, VespaQueryTower] | None = None,
        namespace: str | None = None,
        candidates: int = 100,
    ) -> None:
        self.name = name
        self.items = VespaItems.of(items) if isinstance(items, ItemEmbeddings) else items
        self.index = index or VespaIndex()
        self.reranker = reranker
        self.query_towers = dict(query_towers or {})
        self.namespace = name if namespace is None else namespace
        self.candidates = candidates
        if not isinstance(self.items, VespaItems):
            raise TypeError(f"Items are VespaItems or ItemEmbeddings. Received {type(items).__name__}.")
        if isinstance(candidates, bool) or not isinstance(candidates, int | np.integer):
            raise TypeError(f"A search finds a whole number of candidates. Received candidates={candidates!r}.")
        if candidates < 1:
            raise ValueError(f"A search finds at least 1 candidate. Received candidates={candidates}.")
        weights = dict(transforms or {})
        self._check_names(list(weights))
        self.transforms = [ConstantTransform(key, value, self.items.dim) for key, value in weights.items()]
        self._schema = schema_file.schema_text(name, self.items, self.index, self._rank_profiles())
        self._services = services_xml(name, self._embedders())

    def write(self, folder: str | Path) -> Path:
        """Write the package and `feed.jsonl`, which `.vespaignore` keeps out of what is deployed.

        Args:
            folder: path, of nothing yet.

        Returns:
            The path.

        Raises:
            FileExistsError: there is something at `folder`.
            ValueError: an embedding or an attribute that Vespa can't hold, more or fewer embeddings than ids, or a
                damaged part of the embeddings.
            OSError: the folder can't be written, or an ONNX file read. Nothing is left behind.
        """
        folder = Path(folder)
        if folder.exists():
            raise FileExistsError(f"There is something at {folder} already. Give another path, or remove it first.")
        aside = folder.parent / f".writing-{folder.name}-{os.getpid()}"
        with made_aside(aside):
            for path, text in self._texts().items():
                (aside / path).parent.mkdir(parents=True, exist_ok=True)
                (aside / path).write_text(text, encoding="utf-8")
            for path, source in self._copies().items():
                (aside / path).parent.mkdir(exist_ok=True)
                shutil.copyfile(source, aside / path)
            for transform in self.transforms:
                (aside / transform.file).parent.mkdir(exist_ok=True)
                transform.write(aside)
            write_feed(aside / FEED, self.items, self.index, self.namespace, self.name)
            aside.rename(folder)
        return folder

    def _check_names(self, transforms: list[str]) -> None:
        check_name("A document", self.name, NO_DOCUMENT)
        check_name("A namespace", self.namespace)
        for name in transforms:
            check_name("A transform", name, NO_TRANSFORM)
            if f"{name}_searched" in transforms:
                raise ValueError(f"'{name}_searched' is the second profile of the transform '{name}'. Rename one.")
        for name in self.query_towers:
            check_name("A query tower", name)

    def _rank_profiles(self) -> list[str]:
        profiles = [schema_file.frozen_profile(self.items.dim)]
        for transform in self.transforms:
            profiles.append(schema_file.rescored_profile(transform, self.index))
            profiles.append(schema_file.searched_profile(transform))
        if self.reranker:
            output = self.reranker.checked_output(self.items.dim)
            profiles.append(self.reranker.rank_profile(output, self.candidates))
        return profiles

    def _embedders(self) -> list[Element]:
        return [tower.component(name, self.items.dim) for name, tower in self.query_towers.items()]

    def _texts(self) -> dict[str, str]:
        """Files of text: path -> content."""
        searched = {"frozen": "q"} | ({"reranked": "q"} if self.reranker else {})
        for transform in self.transforms:
            searched |= {transform.name: "q", schema_file.searched_name(transform): transform.name}
        profiles = {
            f"search/query-profiles/{name}.xml": query_profile_xml(name, self.name, query, self.candidates)
            for name, query in searched.items()
        }
        schema = {f"schemas/{self.name}.sd": self._schema}
        return schema | profiles | {"services.xml": self._services, ".vespaignore": f"{FEED}\n"}

    def _copies(self) -> dict[str, str | Path]:
        """Files to copy: path -> source."""
        copies: dict[str, str | Path] = {RERANKER_FILE: self.reranker.path} if self.reranker else {}
        for name, tower in self.query_towers.items():
            copies |= {tower.file(name): tower.path, tower.tokenizer_file(name): tower.tokenizer}
        return copies
