"""Raw value -> model-ready value."""

from tfdual.preprocessing.buckets import Buckets, QuantileBuckets
from tfdual.preprocessing.chain import Chain
from tfdual.preprocessing.elementwise import Clip, Log1p
from tfdual.preprocessing.fill_missing import FillMissing
from tfdual.preprocessing.hash_buckets import HashBuckets
from tfdual.preprocessing.hashed_text import HashedText
from tfdual.preprocessing.hot import MultiHot, OneHot
from tfdual.preprocessing.l2_normalize import L2Normalize
from tfdual.preprocessing.learned_text import LearnedText
from tfdual.preprocessing.list_slice import ListSlice
from tfdual.preprocessing.min_max import MinMax
from tfdual.preprocessing.ngrams import NGrams
from tfdual.preprocessing.passthrough import Passthrough
from tfdual.preprocessing.preprocessor import Preprocessor
from tfdual.preprocessing.split import Split
from tfdual.preprocessing.standardize import Standardize
from tfdual.preprocessing.transform import Transform
from tfdual.preprocessing.vocabulary import Vocabulary
from tfdual.preprocessing.word_piece import WordPiece

__all__ = [
    "Buckets",
    "Chain",
    "Clip",
    "FillMissing",
    "HashBuckets",
    "HashedText",
    "L2Normalize",
    "LearnedText",
    "ListSlice",
    "Log1p",
    "MinMax",
    "MultiHot",
    "NGrams",
    "OneHot",
    "Passthrough",
    "Preprocessor",
    "QuantileBuckets",
    "Split",
    "Standardize",
    "Transform",
    "Vocabulary",
    "WordPiece",
]
