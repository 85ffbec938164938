"""How many ids a side of a model was made for."""

from tfdual.features import Table
from tfdual.features.column_kinds import LOOKED_UP
from tfdual.models.side import Side
from tfdual.preprocessing import Preprocessor
from tfdual.towers import Tower


def require_known_ids(side: Side, preprocessor: Preprocessor) -> None:
    """Raise where a preprocessor gives ids that a side was not made for: each of them would be an unknown one.

    Raises:
        ValueError: a column has more ids, as after its vocabulary has grown.
    """
    for name, known in _known(side).items():
        given = preprocessor.schema[name].cardinality if name in preprocessor.schema else None
        if given is not None and given > known:
            raise ValueError(
                f"The model was made for {known} ids of the column '{name}', and the preprocessor gives {given}: the "
                "new ones would all be unknown. Make and train a model of `preprocessor.schema`; or pass the "
                "preprocessor that the model was trained with, as it was saved beside it."
            )


def _known(side: Side) -> dict[str, int]:
    """The number of ids by column, where a tower's schema or a table tells it."""
    towers = [layer for layer in side.layers if isinstance(layer, Tower)]
    tables = [layer for layer in side.layers if isinstance(layer, Table)]
    looked_up = [column for tower in towers for column in tower.schema if column.kind in LOOKED_UP]
    told = {column.name: column.cardinality for column in looked_up if column.cardinality is not None}
    return told | {name: table.cardinality for table in tables for name in side.columns}
