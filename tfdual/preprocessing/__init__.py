"""Raw value -> model-ready value."""

from tfdual.preprocessing.ngrams import HashedText, LearnedText, NGrams
from tfdual.preprocessing.passthrough import Passthrough
from tfdual.preprocessing.preprocessor import Preprocessor
from tfdual.preprocessing.standardize import Standardize
from tfdual.preprocessing.transform import Transform
from tfdual.preprocessing.vocabulary import Vocabulary

__all__ = [
    "HashedText",
    "LearnedText",
    "NGrams",
    "Passthrough",
    "Preprocessor",
    "Standardize",
    "Transform",
    "Vocabulary",
]
