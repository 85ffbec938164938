"""Where the negatives of contrastive training come from: objects that add up.

    negatives.InBatch() + negatives.Uniform(1024).adapt(items) + negatives.CrossBatchMemory(8192, warm_up=1000)

- `InBatch`: the other rows' items. Free, and popular items come as often as they are consumed. Where to start.
- `Uniform`: items of the whole catalogue, also those that nobody consumed yet. Add it where tail items rank too high.
- `Popularity`: items of the catalogue by how often they occur, to a power. For small batches, and for losses that
  take no in-batch negatives.
- `CrossBatchMemory`: item embeddings of past batches. Many negatives where memory for a large batch is lacking.
- `ColumnNegatives`: items that each row names, e.g. shown and not clicked.
- `TextNegatives`: texts that each row names, e.g. the candidates among which an answer was to be chosen.
- `MinedNegatives`: items that a search ranks high. Hard negatives, for a model that is trained already.

In a sum, each query is scored against the items of all sources. With the sampling correction, an item's score is
lessened by the logarithm of how often it is expected from all sources together, whichever gave it: with `InBatch` and
`Uniform` that is `batch * q(item) + count / items` (mixed negative sampling). Sources without a distribution
(`ColumnNegatives`, `MinedNegatives`) add 1 for their own items, and nothing for others.

`items` are batches of model-ready columns, e.g. `corpus.batch(4096).map(preprocessor)`; where several sources need
them, make a `Catalogue` once. `StreamingFrequency` learns the probability of items from the batches themselves, where
no pass over the data can count them.
"""

from tfdual.negatives.batch import Batch
from tfdual.negatives.catalogue import Catalogue
from tfdual.negatives.column_negatives import ColumnNegatives
from tfdual.negatives.cross_batch_memory import CrossBatchMemory
from tfdual.negatives.in_batch import InBatch
from tfdual.negatives.mined_negatives import MinedNegatives
from tfdual.negatives.negatives import Negatives
from tfdual.negatives.popularity import Popularity
from tfdual.negatives.streaming_frequency import StreamingFrequency
from tfdual.negatives.sum_of_negatives import SumOfNegatives
from tfdual.negatives.text_negatives import TextNegatives
from tfdual.negatives.uniform import Uniform

__all__ = [
    "Batch",
    "Catalogue",
    "ColumnNegatives",
    "CrossBatchMemory",
    "InBatch",
    "MinedNegatives",
    "Negatives",
    "Popularity",
    "StreamingFrequency",
    "SumOfNegatives",
    "TextNegatives",
    "Uniform",
]
