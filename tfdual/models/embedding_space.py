"""A name for the space that a model's embeddings lie in."""

import hashlib
from typing import TYPE_CHECKING

from tfdual._variable_hash import add_variables
from tfdual.preprocessing import Preprocessor

if TYPE_CHECKING:
    from tfdual.models.dual_encoder import DualEncoder


def embedding_space(model: "DualEncoder", preprocessor: Preprocessor) -> str:
    """What `DualEncoder.embedding_space` gives."""
    side = model.item_side
    digest = hashlib.sha256(preprocessor.fingerprint(preprocessor.raw_columns(side.columns).column_names))
    digest.update(repr((type(model).__name__, sorted(side.columns), model.interaction.name)).encode())
    digest.update(side.describe().encode())
    add_variables(digest, side.variables)
    return digest.hexdigest()[:16]
