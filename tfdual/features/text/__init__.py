"""Text -> vector, by a transformer of the BERT family; tokenising is a part of the graph."""

from tfdual.features.text.byte_pair_tokenizer import BytePairTokenizer
from tfdual.features.text.sentence_piece_tokenizer import SentencePieceTokenizer
from tfdual.features.text.text_encoder import TextEncoder
from tfdual.features.text.text_pair_encoder import TextPairEncoder
from tfdual.features.text.text_transformer import TextTransformer
from tfdual.features.text.token_vectors import TokenVectors
from tfdual.features.text.word_piece_tokenizer import WordPieceTokenizer

__all__ = [
    "BytePairTokenizer",
    "SentencePieceTokenizer",
    "TextEncoder",
    "TextPairEncoder",
    "TextTransformer",
    "TokenVectors",
    "WordPieceTokenizer",
]
