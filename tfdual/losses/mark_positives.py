"""Labels made of the places of the positives."""

from keras import ops

from tfdual._typing import Tensor


def mark_positives(index: Tensor, candidates: int) -> Tensor:
    """Labels of the losses: true where a candidate is a positive of the query.

    Args:
        index: int `(batch,)`, the place of each query's positive among the candidates, or `(batch, positives)`, the
            places of several. A place outside `0 .. candidates - 1` marks nothing, so that -1 fills up a row.
        candidates: int. How many candidates a query has.

    Returns:
        bool `(batch, candidates)`.

    Raises:
        ValueError: `index` has another shape.

    Example:
        >>> mark_positives([2, 0], candidates=3).numpy().astype(int)
        array([[0, 0, 1],
               [1, 0, 0]])
        >>> mark_positives([[0, 2], [1, -1]], candidates=3).numpy().astype(int)
        array([[1, 0, 1],
               [0, 1, 0]])
    """
    index = ops.convert_to_tensor(index)
    if len(index.shape) not in (1, 2):
        raise ValueError(
            f"index needs the shape (batch,) or (batch, positives). Received the shape {tuple(index.shape)}."
        )
    places = ops.arange(candidates)
    if len(index.shape) == 1:
        return ops.equal(index[:, None], places)
    return ops.any(ops.equal(index[:, :, None], places), axis=1)
