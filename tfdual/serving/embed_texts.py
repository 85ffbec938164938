"""A corpus of texts to a folder of Parquet files, each text encoded once."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.data import Rows
from tfdual.data.arrow_types import arrow_type
from tfdual.features import TextEncoder
from tfdual.preprocessing import Passthrough, Preprocessor
from tfdual.schema import Kind
from tfdual.serving.embed_items import embed_items
from tfdual.serving.item_embeddings import ItemEmbeddings
from tfdual.serving.known_vectors import KnownVectors, content_keys, text_arrays

SHARD_ROWS = 4_096
JOINED_BY = b" "
ID_DTYPES = ("int64", "int32", "string")
Columns = dict[str, Tensor]


@dataclass(frozen=True)
class EmbeddedTexts:
    """What `embed_texts` did.

    Args:
        embeddings: ItemEmbeddings.
        rows: int. Rows of the corpus.
        distinct: int. Different texts among them.
        known: int. Different texts whose vectors came from earlier folders.
        encoded: int. Texts that were encoded in this run.
    """

    embeddings: ItemEmbeddings
    rows: int
    distinct: int
    known: int
    encoded: int


def embed_texts(
    encoder: TextEncoder,
    rows: Rows,
    id_column: str,
    text_columns: Sequence[str],
    folder: str | Path,
    reuse: Iterable[str | Path] = (),
    progress: bool = False,
    shard_rows: int = SHARD_ROWS,
) -> EmbeddedTexts:
    """Embed the texts of a corpus, one row a text, part by part; what is known already is not encoded again.

    Columns are joined by a space, in their order; a text that is missing is an empty one. Equal texts are encoded once.
    Of a folder to reuse, which an earlier run wrote, the vectors of equal texts are taken, wherever they stand and
    whatever their ids are. Killed and called again with the same arguments, it goes on after the parts that are whole.
    The folder is one of `ItemEmbeddings`, with the texts as attributes: what `Index.build` and `tfdual index` take.

    Args:
        encoder: TextEncoder.
        rows: raw rows of `tfdual.read`; read twice, and all columns but the named ones are left out.
        id_column: str. Integers or strings, all different.
        text_columns: names of single strings.
        folder: path. Made where it is missing.
        reuse: paths of folders of the same model and the same columns, in the same order. Defaults to none.
        progress: bool. Show a bar on standard error. Defaults to `False`.
        shard_rows: int. Rows a part, about. Defaults to 4,096.

    Returns:
        `EmbeddedTexts`.

    Raises:
        FileNotFoundError: there is no such folder to reuse.
        ValueError: a column is missing or holds no strings; ids are no integers or strings, or one stands twice, which
            is told before a text is encoded; a folder to reuse is of another model or other columns; and what
            `embed_items` refuses.
        OSError: the folder can't be written, or the disk is full. Whole parts stay.
    """
    _check(rows, id_column, text_columns)
    rows = rows.select(rows.schema.select_by_name([id_column, *text_columns]))
    texts = rows.schema.select_by_name(list(text_columns))
    counts = _counted(rows, id_column, text_columns)
    space = embedding_space(encoder)
    known = KnownVectors([path for path in reuse if Path(path) != Path(folder)], space, text_columns)
    repeated = {key for key, times in counts.items() if times > 1}
    model = _TextItems(encoder, id_column, list(text_columns), space, known, repeated)
    prep = Preprocessor(texts, {name: Passthrough() for name in text_columns}).adapt(rows)
    embeddings = embed_items(model, rows, prep, folder, text_columns, progress, shard_rows)
    return EmbeddedTexts(embeddings, len(rows), len(counts), sum(key in known for key in counts), model.encoded)


def embedding_space(encoder: TextEncoder) -> str:
    """A name of the space that an encoder's vectors lie in: a hash of its weights and of all that it does to a text."""
    if not encoder.built:
        encoder.build()
    config = {name: value for name, value in encoder.get_config().items() if name not in ("name", "source")}
    config["transformer"] = config["transformer"]["config"] | {"name": None, "trainable_layers": None, "dropout": None}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for weight in encoder.transformer.weights:
        digest.update(np.ascontiguousarray(weight.numpy()).data)
    return digest.hexdigest()[:16]


class _TextItems:
    """A text encoder as what `embed_items` takes, which asks what is known first."""

    def __init__(
        self,
        encoder: TextEncoder,
        item_id: str,
        text_columns: list[str],
        space: str,
        known: KnownVectors,
        repeated: set[bytes],
    ) -> None:
        self.item_id, self.item_columns = item_id, text_columns
        self.encoded = 0
        self._dim, self._space, self._known, self._repeated = encoder.dim, space, known, repeated
        self._kept: dict[bytes, np.ndarray] = {}
        texts = tf.TensorSpec([None], tf.string)
        self._encode = tf.function(lambda texts: encoder(texts), input_signature=[texts], autograph=False)

    def embedding_space(self, preprocessor: Preprocessor) -> str:
        """That of the encoder."""
        return self._space

    @property
    def compiled_encode_item(self) -> Callable[[Columns], np.ndarray]:
        """From the columns of texts to vectors."""
        return self._vectors

    def _vectors(self, columns: Columns) -> np.ndarray:
        parts = [np.asarray(columns[name]) for name in self.item_columns]
        keys = content_keys(parts)
        places: dict[bytes, int] = {}
        for place, key in enumerate(keys):
            if key not in self._kept and key not in self._known:
                places.setdefault(key, place)
        fresh = self._encoded([JOINED_BY.join(part[place] for part in parts) for place in places.values()])
        found = dict(zip(places, fresh, strict=True))
        rows = [
            found[key] if key in found else self._kept[key] if key in self._kept else self._known.vector(key)
            for key in keys
        ]
        self._kept |= {key: vector for key, vector in found.items() if key in self._repeated}
        return np.array(rows, np.float32).reshape(len(keys), self._dim)

    def _encoded(self, texts: list[bytes]) -> np.ndarray:
        self.encoded += len(texts)
        return self._encode(tf.constant(texts, tf.string, [len(texts)])).numpy().astype(np.float32)


def _counted(rows: Rows, id_column: str, text_columns: Sequence[str]) -> Counter[bytes]:
    """How often each text stands.

    Raises:
        ValueError: an id stands twice.
    """
    counts: Counter[bytes] = Counter()
    ids: list[pa.Array] = []
    for table in rows.tables():
        counts.update(content_keys(text_arrays(table, text_columns)))
        ids.extend(table[id_column].chunks)
    if len(repeated := _repeated(pa.chunked_array(ids, arrow_type(rows.schema[id_column])))):
        raise ValueError(
            f"Ids must differ; {repeated[0].as_py()!r} stands twice in the column '{id_column}'. Leave repeated rows "
            "out."
        )
    return counts


def _repeated(ids: pa.ChunkedArray) -> pa.Array:
    counted = ids.value_counts()
    return counted.field("values").filter(pc.greater(counted.field("counts"), 1))


def _check(rows: Rows, id_column: str, text_columns: Sequence[str]) -> None:
    if not isinstance(rows, Rows):
        raise TypeError(f"A corpus is raw rows of `tfdual.read`. Received {type(rows).__name__}.")
    if missing := [name for name in (id_column, *text_columns) if name not in rows.schema]:
        raise ValueError(f"The corpus lacks the columns {missing}. It has {rows.schema.column_names}.")
    if not text_columns or id_column in text_columns or len(set(text_columns)) != len(text_columns):
        raise ValueError(f"Name one column of texts or several, none twice, and not the id's. Received {text_columns}.")
    ids = rows.schema[id_column]
    if ids.is_list or ids.dtype not in ID_DTYPES:
        held = f"lists of {ids.dtype}" if ids.is_list else ids.dtype
        raise ValueError(f"Ids are integers or strings, one a row. The column '{id_column}' holds {held}.")
    if wrong := [name for name in text_columns if rows.schema[name].kind is not Kind.STRING]:
        raise ValueError(f"Texts are single strings, in columns that are not CATEGORICAL. {wrong} are others.")
