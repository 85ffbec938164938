"""How a ScaNN searcher is configured for a corpus."""

import math
from collections.abc import Mapping
from typing import Any

STEPS = ("tree", "score_ah", "score_brute_force", "reorder", "autopilot", "pca", "truncate", "upper_tree")
TRAINING_ITEMS = 250_000
Options = Mapping[str, Mapping[str, Any] | None]


def check_options(options: Options) -> None:
    """Raise unless these are steps of scann's builder that its TensorFlow op knows."""
    if unknown := sorted(set(options) - set(STEPS)):
        raise ValueError(f"options are by method of scann's builder, one of {list(STEPS)}. Received {unknown}.")
    if "soar_lambda" in (options.get("tree") or {}):
        raise ValueError("ScaNN's TensorFlow op has no SOAR: the index could not be served. Leave soar_lambda out.")


def builder_steps(
    items: int, distance: str, leaves: int | None, options: Options, compact: bool
) -> dict[str, dict[str, Any]]:
    """Methods of scann's builder and their arguments: scann's documented ones, under those given.

    Args:
        items: int.
        distance: str.
        leaves: int. Leaves of the tree. None: twice the square root of `items`.
        options: mapping of method -> arguments; None leaves the step out.
        compact: bool. Whether to score again by int8 rows instead of float32.
    """
    if "autopilot" in options:
        return {"autopilot": dict(options["autopilot"] or {})}
    count = leaves or 2 * math.isqrt(items)
    threshold = {} if distance == "l2" else {"anisotropic_quantization_threshold": 0.2}
    steps: dict[str, Any] = {
        "tree": {
            "num_leaves": count,
            "num_leaves_to_search": max(1, count // 10),
            "training_sample_size": min(items, TRAINING_ITEMS),
        },
        "score_ah": {"dimensions_per_block": 2} | threshold,
        "reorder": {"reordering_num_neighbors": 100} | ({"quantize": True} if compact else {}),
    }
    if "score_brute_force" in options:
        del steps["score_ah"], steps["reorder"]
    for name, arguments in options.items():
        steps[name] = None if arguments is None else steps.get(name, {}) | dict(arguments)
    return {name: arguments for name, arguments in steps.items() if arguments is not None}
