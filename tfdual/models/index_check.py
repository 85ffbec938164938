"""Whether an index scores as a model does."""

from typing import TYPE_CHECKING

from tfdual.index import Index

if TYPE_CHECKING:
    from tfdual.models.dual_encoder import DualEncoder


def fitting(model: "DualEncoder", index: Index | None) -> Index:
    """The index, or the model's own where none is given.

    Raises:
        ValueError: it scores by another interaction than the model.
    """
    if index is None:
        return model.exact_index()
    if index.interaction != model.interaction:
        own = type(model.exact_index()).__name__
        raise ValueError(
            f"{type(model).__name__} scores by {model.interaction}, and this {type(index).__name__} by "
            f"{index.interaction}. Take a {own} of the same."
        )
    return index
