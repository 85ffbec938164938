"""What two towers have in common."""

import keras

from tfdual.blocks import MixtureOfExpertsBlock
from tfdual.features import FeatureEncoder, Table


def share_layers(*towers: keras.layers.Layer) -> None:
    """Let columns of one domain use one table, and groups of shared experts of one name the same experts.

    The first tower's are used. A layer that has weights already keeps them.
    """
    layers = [layer for tower in towers for layer in tower._flatten_layers()]
    tables: dict[str, Table] = {}
    for encoder in layers:
        if isinstance(encoder, FeatureEncoder):
            if not encoder.built:
                encoder.share_tables(tables)
            tables = encoder.tables | tables
    experts: dict[str, list[keras.layers.Layer]] = {}
    for mixture in layers:
        if isinstance(mixture, MixtureOfExpertsBlock) and mixture.num_shared_experts:
            if mixture.shared_name in experts and not mixture.built:
                mixture.share_experts(experts[mixture.shared_name])
            experts.setdefault(mixture.shared_name, mixture.shared_experts)
