"""A tuned index in a SavedModel, loaded where there is only TensorFlow and scann, and searched through the op."""

import numpy as np
import scann  # noqa: F401  its op must be there before the model is loaded
import tensorflow as tf
from index_rounds import Setting, work
from worker import Worker


def main() -> None:
    """The variant's name ends in the recall."""
    worker = Worker()
    worker.versions("tensorflow", "scann")

    def build() -> list[Setting]:
        """Load it, and search once: that is when the op makes its searcher."""
        model = tf.saved_model.load(str(worker.path / f"model-{worker.variant.split()[-1]}"))

        def search(queries: np.ndarray) -> np.ndarray:
            return model.search(tf.constant(queries)).numpy()

        search(np.zeros([1, model.search.input_signature[0].shape[1]], np.float32))
        return [Setting({}, search)]

    work(worker, build)


main()
