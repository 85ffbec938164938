"""A name for the space that compressed vectors lie in."""

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfdual._build import OF_THE_ORIGINAL, serialized, without
from tfdual._variable_hash import add_variables

if TYPE_CHECKING:
    from tfdual.tailoring.compression.compressor import EmbeddingCompressor

WITHOUT_EFFECT = OF_THE_ORIGINAL | {"name", "trainable", "seed"}  # on the vectors


def compressed_space(compressor: "EmbeddingCompressor", width: int, spaces: Mapping[str, str]) -> str:
    """What `EmbeddingCompressor.embedding_space` gives."""
    if not compressor.built:
        raise ValueError("A compressor without weights has no space yet. Fit it, or call it once.")
    if unknown := sorted(set(spaces) - set(compressor.part_widths)):
        raise ValueError(f"There are spaces of {unknown}. The parts are {list(compressor.part_widths)}.")
    layers = without(serialized([compressor.fusion, compressor.encoder]), WITHOUT_EFFECT)
    parts = [(name, part_width, spaces.get(name, "")) for name, part_width in compressor.part_widths.items()]
    weights = sorted((compressor.part_weights or dict.fromkeys(compressor.part_widths, 1.0)).items())
    digest = hashlib.sha256(repr((json.dumps(layers, sort_keys=True), parts, weights, width)).encode())
    weights_of_layers = (*compressor.fusion.weights, *compressor.encoder.weights)
    add_variables(digest, (weight.value for weight in weights_of_layers))
    return digest.hexdigest()[:16]
