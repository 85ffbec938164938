from tfdual.negatives.batch import Batch
from tfdual.negatives.in_batch import InBatch
from tfdual.negatives.negatives import Negatives
from tfdual.negatives.sum_of_negatives import SumOfNegatives
import keras
class StreamingFrequency(keras.layers.Layer):
    def __init__(self, size): super().__init__(); self.size=size
    def build(self, s=None): self.built=True
    def log_probability(self, ids): return keras.ops.zeros_like(ids, dtype="float32")
    def update(self, ids): pass
