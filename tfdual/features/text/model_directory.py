"""A local directory of Hugging Face, checked before any work."""

import base64
import json
from pathlib import Path
from typing import Any

from tfdual._piece_file import read_pieces
from tfdual.features.text.byte_pair_tokenizer import BytePairTokenizer
from tfdual.features.text.checkpoint import Checkpoint, Tokenizer, remember
from tfdual.features.text.sentence_piece_tokenizer import SentencePieceTokenizer
from tfdual.features.text.tensor_file import TensorFile
from tfdual.features.text.tensor_names import FAMILIES
from tfdual.features.text.word_piece_tokenizer import WordPieceTokenizer

CONFIG, WEIGHTS, VOCABULARY, PIECES = "config.json", "model.safetensors", "vocab.txt", "sentencepiece.bpe.model"
BYTE_PAIRS, MERGES = "vocab.json", "merges.txt"
SPARE_ROWS = 128  # tables are padded to a multiple of that, at most
MODULES = ("Transformer", "Pooling", "Normalize")
MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_weightedmean_tokens": "weighted",
}


def read_directory(path: Path) -> Checkpoint:
    """What a directory holds. Names and shapes of the weights are checked; their values are read later.

    Raises:
        FileNotFoundError: no directory, or a file is missing in it.
        ValueError: a model of another kind, a damaged file, a vocabulary or weights that don't fit.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"There is no directory {path}. Name one that holds {CONFIG} and {WEIGHTS}.")
    config = _json(path / CONFIG)
    family = FAMILIES.get(config.get("model_type", ""))
    if family is None:
        raise ValueError(
            f"TextEncoder reads models of the types {sorted(FAMILIES)}. {path} holds one of the type "
            f"{config.get('model_type')!r}."
        )
    sizes = family.sizes(config)
    tensors = TensorFile(_file(path / WEIGHTS), family, sizes)
    tokenizer = _tokenizer(path, family.segments)
    spare = sizes["vocabulary_size"] - tokenizer.vocabulary_size
    if not 0 <= spare < SPARE_ROWS:
        raise ValueError(
            f"The vocabulary of {path} doesn't fit the model: it has {tokenizer.vocabulary_size} pieces, and the table "
            f"{sizes['vocabulary_size']} rows. Take both from one model."
        )
    pooling, normalize = _pooling(path)
    max_length = min(_max_length(path) or sizes["max_length"], sizes["max_length"])
    return remember(
        Checkpoint(
            str(path.resolve()),
            tokenizer,
            sizes,
            pooling,
            normalize,
            max_length,
            tensors.arrays,
            tensors.pair_arrays,
            family.pooler[1],
        )
    )


def _tokenizer(path: Path, segments: bool) -> Tokenizer:
    if (path / PIECES).is_file():
        content = (path / PIECES).read_bytes()
        return SentencePieceTokenizer(base64.b64encode(content).decode())
    if (path / MERGES).is_file():
        return _byte_pairs(path)
    vocabulary = read_pieces(_file(path / VOCABULARY))
    options = _json(path / "tokenizer_config.json", {})
    return WordPieceTokenizer(
        vocabulary,
        options.get("do_lower_case", True),
        options.get("strip_accents"),
        options.get("tokenize_chinese_chars", True),
        segments,
    )


def _byte_pairs(path: Path) -> BytePairTokenizer:
    if _json(path / "tokenizer_config.json", {}).get("add_prefix_space", False):
        raise ValueError(f"{path} puts a space before each text (add_prefix_space), which TextEncoder doesn't.")
    ids = _json(path / BYTE_PAIRS)
    vocabulary = sorted(ids, key=ids.__getitem__)
    if [ids[piece] for piece in vocabulary] != list(range(len(vocabulary))):
        raise ValueError(f"The ids of {path / BYTE_PAIRS} are 0 to {len(ids) - 1}, each once. Give another vocabulary.")
    lines = (path / MERGES).read_text(encoding="utf-8").split("\n")
    return BytePairTokenizer(vocabulary, [line for line in lines if line and not line.startswith("#version")])


def _pooling(path: Path) -> tuple[str, bool]:
    """Pooling and normalisation, as a directory of sentence-transformers declares them; the mean and none elsewhere."""
    modules = _json(path / "modules.json", [])
    kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
    if unknown := [kind for kind in kinds if kind not in MODULES]:
        raise ValueError(f"TextEncoder knows the modules {list(MODULES)}. {path} also has {unknown}.")
    places = [module["path"] for module, kind in zip(modules, kinds, strict=True) if kind == "Pooling"]
    chosen = [name for name, on in _json(path / places[0] / CONFIG).items() if on is True] if places else []
    modes = [name for name in chosen if name.startswith("pooling_mode_")]
    if places and (len(modes) != 1 or modes[0] not in MODES):
        raise ValueError(f"TextEncoder pools in one way, of {sorted(MODES)}. {path} declares {modes}.")
    return MODES[modes[0]] if places else "mean", "Normalize" in kinds


def _max_length(path: Path) -> int | None:
    return _json(path / "sentence_bert_config.json", {}).get("max_seq_length")


def _file(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path.name} in {path.parent}. TextEncoder reads {CONFIG}, {WEIGHTS}, and {VOCABULARY}, "
            f"{BYTE_PAIRS} with {MERGES}, or {PIECES}."
        )
    return path


def _json(path: Path, default: Any = None) -> Any:
    """The content of a JSON file; `default` where there is none, unless that is None."""
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(_file(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}.") from error
