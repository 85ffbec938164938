"""A name for the space that a model's embeddings lie in."""

import hashlib
from typing import TYPE_CHECKING

from tfdual._variable_hash import add_variables
from tfdual.models.known_ids import require_known_ids
from tfdual.preprocessing import Preprocessor

if TYPE_CHECKING:
    from tfdual.models.dual_encoder import DualEncoder


def embedding_space(model: "DualEncoder", preprocessor: Preprocessor) -> str:
    """What `DualEncoder.embedding_space` gives."""
    side = model.item_side
    require_known_ids(side, preprocessor)
    digest = hashlib.sha256(preprocessor.fingerprint(preprocessor.raw_columns(side.columns).column_names))
    digest.update(repr((type(model).__name__, sorted(side.columns), model.interaction.name)).encode())
    digest.update(side.describe().encode())
    weights = [weight.value for layer in side.layers if layer for weight in layer.weights]  # no seeds of dropout
    add_variables(digest, [*weights, *side.others])
    return digest.hexdigest()[:16]
