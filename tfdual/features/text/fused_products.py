"""Products and the GELU in the forms that TensorFlow fuses to one operator on a CPU."""

import math
from typing import Any

import tensorflow as tf
from keras import ops

from tfdual._typing import Tensor


def linear(rows: Tensor, kernel: Any, bias: Any) -> Tensor:
    """`rows kernel + bias`, of matrices."""
    return tf.nn.bias_add(tf.matmul(rows, ops.convert_to_tensor(kernel)), ops.convert_to_tensor(bias))


def gelu(rows: Tensor) -> Tensor:
    """The exact one, by the error function: `x (1 + erf(x / sqrt(2))) / 2`."""
    return (tf.math.erf(rows * math.sqrt(0.5)) + 1.0) * 0.5 * rows
