"""A name for the space that a model's embeddings lie in."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from tfdual.preprocessing import Preprocessor

if TYPE_CHECKING:
    from tfdual.models.dual_encoder import DualEncoder


def embedding_space(model: "DualEncoder", preprocessor: Preprocessor) -> str:
    """What `DualEncoder.embedding_space` gives."""
    columns = preprocessor.raw_columns(model.item_columns).column_names
    digest = hashlib.sha256(preprocessor.fingerprint(columns))
    digest.update(repr((type(model).__name__, sorted(model.item_columns))).encode())
    for variable in model.item_variables:
        values = np.ascontiguousarray(np.asarray(variable.value()))  # of a huge table, not a copy
        digest.update(repr((str(values.dtype), values.shape)).encode())
        digest.update(values.data)
    return digest.hexdigest()[:16]
