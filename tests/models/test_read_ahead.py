"""What `fit` makes of a dataset."""

import pytest
import tensorflow as tf

from tfdual.models.read_ahead import read_ahead


def tuned(enabled: bool | None) -> tf.data.Dataset:
    options = tf.data.Options()
    if enabled is not None:
        options.autotune.enabled = enabled
    return tf.data.Dataset.range(5).map(lambda i: i + 1, num_parallel_calls=tf.data.AUTOTUNE).with_options(options)


@pytest.mark.parametrize("enabled", [None, True, False])
def test_batches_are_the_same_and_in_order(enabled: bool | None) -> None:
    assert [int(i) for i in read_ahead(tuned(enabled))] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("enabled", [True, False])
def test_tuning_is_as_the_dataset_says(enabled: bool) -> None:
    assert read_ahead(tuned(enabled)).options().autotune.enabled is enabled


def test_tuning_is_off_where_the_dataset_does_not_say() -> None:
    assert read_ahead(tuned(None)).options().autotune.enabled is False
