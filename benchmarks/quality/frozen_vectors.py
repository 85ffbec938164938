"""Texts to MiniLM's vectors, which a file may keep."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import quality_report  # noqa: F401 (which finds the folder of the next)
import tensorflow as tf
from text_data import model_directory

from tfdual.features import TextEncoder


def frozen_vectors(texts: Mapping[str, list[str]], kept: Path | None) -> dict[str, np.ndarray]:
    """MiniLM of each list of texts; from the file where it is there, and written to it where it isn't."""
    if kept is not None and kept.exists():
        with np.load(kept) as held:
            return {name: held[name] for name in texts}
    encode = tf.function(TextEncoder.from_directory(model_directory()))
    vectors = {
        name: np.concatenate([encode(tf.constant(some[at : at + 512])).numpy() for at in range(0, len(some), 512)])
        for name, some in texts.items()
    }
    if kept is not None:
        np.savez(kept, **vectors)
    return vectors
