"""What the workers of the serving benchmark ask in TensorFlow; no package of ours is needed."""

from typing import Any

import tensorflow as tf


def options() -> dict[str, tf.Tensor]:
    """10 items, none excluded: what a server fills in for a request that says nothing."""
    return {"k": tf.constant([10]), "exclude": tf.zeros([1, 0], tf.int64)}


def dense_requests(columns: dict[str, list]) -> list[dict[str, tf.Tensor]]:
    """Each as tensors of one row; a list has its own length, and one place where it is empty."""
    count = len(next(iter(columns.values())))
    return [{name: tensor(values[row]) for name, values in columns.items()} for row in range(count)]


def tensor(value: Any) -> tf.Tensor:
    """One row."""
    return tf.constant([value or [""]] if isinstance(value, list) else [value])


def examples(columns: dict[str, list]) -> list[tf.Tensor]:
    """Each as a batch of one serialised `Example`."""
    made = []
    for row in range(len(next(iter(columns.values())))):
        example = tf.train.Example()
        for name, values in columns.items():
            feature, value = example.features.feature[name], values[row]
            if isinstance(value, float):
                feature.float_list.value.append(value)
            else:
                given = value if isinstance(value, list) else [value]
                feature.bytes_list.value.extend(part.encode() for part in given)
        made.append(tf.constant([example.SerializeToString()]))
    return made
