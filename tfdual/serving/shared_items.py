"""The items that both halves of a hybrid hold."""

import numpy as np

from tfdual.ranking import BM25


def shared_items(known: np.ndarray, lexical: BM25, same_items: bool) -> np.ndarray | None:
    """Which items of BM25 the dense retriever holds, bool by position; None: all of them.

    Args:
        known: int64 or `str`. The dense retriever's ids.
        lexical: BM25.
        same_items: bool. Refuse others than the same.

    Raises:
        ValueError: BM25 isn't built, or has ids of another type; no item is in both; or they are not the same.
    """
    if not lexical.size:
        raise ValueError("The BM25 of a hybrid is built before. Call `BM25().build(texts, ids)` first.")
    if known.dtype.kind != lexical.ids.dtype.kind:
        kinds = [{"U": "string"}.get(ids.dtype.kind, "int64") for ids in (known, lexical.ids)]
        raise ValueError(f"The dense retriever's ids are {kinds[0]}, BM25's {kinds[1]}. Build BM25 with the former.")
    shared = np.isin(lexical.ids, known)
    count, others = int(shared.sum()), lexical.ids[~shared]
    if not count:
        raise ValueError(f"No item of BM25{_such(others)}, is one of the dense retriever's. Give both the same ids.")
    if same_items and not count == len(known) == lexical.size:
        lacking = known[~np.isin(known, lexical.ids)]
        raise ValueError(
            f"BM25 lacks {len(lacking)} of the dense retriever's {len(known)} items{_such(lacking)}, and holds "
            f"{len(others)} others{_such(others)}. Build it of the same items, or pass same_items=False."
        )
    return shared if len(others) else None


def _such(ids: np.ndarray) -> str:
    return f", such as {ids[0].item()!r}" if len(ids) else ""
