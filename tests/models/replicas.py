"""One batch on one device, and the same on two replicas. Run as a script, since devices are set before TensorFlow starts."""

import sys

import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from tests.sample_columns import OPTIONS, SCHEMA, batch  # noqa: E402
from tfdual import LazyAdam, MLPBlock, TwoTowerBlock, TwoTowerModel  # noqa: E402

OPTIMIZERS = {"sgd": lambda: keras.optimizers.SGD(0.1), "lazy_adam": lambda: LazyAdam(0.05)}
WEIGHTS = np.array([1, 2, 0.5, 1, 3, 1], "float32")


def trained(strategy: tf.distribute.Strategy, optimizer: str, weighted: bool, **options) -> tuple[list, float]:
    """The weights after two steps, and the last loss."""
    inputs = batch() | {"item_id": tf.constant([1, 2, 1, 5, 2, 1], tf.int64)}
    with strategy.scope():
        keras.utils.set_random_seed(0)
        towers = TwoTowerBlock(SCHEMA, MLPBlock([8, 4]), embedding_options=OPTIONS, post="l2-norm")
        model = TwoTowerModel(towers, temperature=0.2, distinct_items=False, **options)
        model.build()
        model.compile(OPTIMIZERS[optimizer]())
    data = tf.data.Dataset.from_tensor_slices((inputs, None, WEIGHTS) if weighted else inputs).batch(6).repeat(2)
    history = model.fit(data, verbose=0).history
    return model.get_weights(), history["loss"][-1]


for name in OPTIMIZERS:
    for case in ({}, {"weighted": True}, {"symmetric": True}):
        case = {"weighted": False} | case
        one = trained(tf.distribute.get_strategy(), name, **case)
        two = trained(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), name, **case)
        for found, wanted in zip(two[0], one[0], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6, err_msg=f"{name} {case}")
        if not case["weighted"]:
            np.testing.assert_allclose(two[1], one[1], rtol=1e-4)
        sys.stdout.write(f"{name} {case} equal\n")
