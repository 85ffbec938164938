"""What `fit` of a compressor gets besides vectors."""

from collections.abc import Callable, Mapping
from typing import Any

BATCH = 2_048
NO_LABELS = frozenset({"y", "sample_weight", "class_weight"})


def fit_settings(arguments: tuple, named: Mapping[str, Any], checked: Callable[[Any], Any]) -> dict[str, Any]:
    """The settings for Keras's `fit`; batches of 2,048 unless they say another size.

    Args:
        arguments: tuple. What stood behind the vectors without a name: nothing.
        named: mapping of the name of a setting of Keras's `fit` -> its value.
        checked: function of `validation_data` to the parts as they are used.

    Raises:
        TypeError: labels, weights, or a setting without its name.
        TypeError, ValueError: as `checked`.
    """
    if arguments or NO_LABELS & named.keys():
        raise TypeError(
            "A compressor learns from vectors alone. Leave labels and weights out, and name all settings, as in "
            "epochs=20."
        )
    settings = {"batch_size": BATCH} | dict(named)
    if settings.get("validation_data") is not None:
        settings["validation_data"] = checked(settings["validation_data"])
    return settings
