"""A name for the space that a model's embeddings lie in."""

import hashlib
from typing import TYPE_CHECKING

from tfdual._variable_hash import add_variables
from tfdual.preprocessing import Preprocessor

if TYPE_CHECKING:
    from tfdual.models.dual_encoder import DualEncoder


def embedding_space(model: "DualEncoder", preprocessor: Preprocessor) -> str:
    """What `DualEncoder.embedding_space` gives."""
    columns = preprocessor.raw_columns(model.item_columns).column_names
    digest = hashlib.sha256(preprocessor.fingerprint(columns))
    digest.update(repr((type(model).__name__, sorted(model.item_columns))).encode())
    add_variables(digest, model.item_variables)
    return digest.hexdigest()[:16]
