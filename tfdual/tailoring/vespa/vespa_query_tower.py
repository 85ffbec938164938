"""A text tower as an embedder of Vespa."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element, SubElement

from tfdual._piece_file import read_pieces
from tfdual.tailoring.vespa.onnx_signature import OnnxSignature, OnnxTensor

HUGGING_FACE, BERT = "hugging-face-embedder", "bert-embedder"
EMBEDDERS = {".json": HUGGING_FACE, ".txt": BERT}


@dataclass(frozen=True)
class VespaQueryTower:
    """An ONNX transformer from token ids to an embedding, with its tokenizer: what Vespa can run on a query's text.

    A tower that reads other columns, as those of `export_onnx` do, can't be one: its embedding comes with the query.

    Args:
        path: of the ONNX file. Token ids, mask and types are `(batch, length)`; the output is `(batch, length, dim)`,
            or `(batch, dim)` with `pooling="none"`.
        tokenizer: path. A `tokenizer.json` of Hugging Face makes a `hugging-face-embedder`; a `vocab.txt` of BERT's
            pieces, one a line, a `bert-embedder`.
        input_ids: str. The input for token ids. Defaults to `"input_ids"`.
        attention_mask: str. The input for the mask. Defaults to `"attention_mask"`.
        token_type_ids: str. The input for the types, where the model has one. Defaults to `"token_type_ids"`.
        output: str. Defaults to `"last_hidden_state"`.
        pooling: str. `"mean"`, `"cls"` or `"none"`. Defaults to `"mean"`.
        normalize: bool. Give the embedding length 1; only with a `tokenizer.json`. Defaults to `False`.
        max_tokens: int. Defaults to 512.

    Raises:
        ValueError: a tokenizer of another name, an unknown pooling, `max_tokens` below 1, what a `bert-embedder` lacks.
    """

    path: str | Path
    tokenizer: str | Path
    input_ids: str = "input_ids"
    attention_mask: str = "attention_mask"
    token_type_ids: str = "token_type_ids"
    output: str = "last_hidden_state"
    pooling: Literal["mean", "cls", "none"] = "mean"
    normalize: bool = False
    max_tokens: int = 512

    def __post_init__(self) -> None:
        if Path(self.tokenizer).suffix not in EMBEDDERS:
            raise ValueError(f"A tokenizer is a tokenizer.json or a vocab.txt. Received {self.tokenizer}.")
        if self.pooling not in ("mean", "cls", "none"):
            raise ValueError(f'pooling is "mean", "cls" or "none". Received {self.pooling!r}.')
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens is at least 1. Received {self.max_tokens}.")
        if self.kind == BERT and (self.normalize or self.pooling == "none"):
            raise ValueError(
                "A bert-embedder, which a vocab.txt makes, pools and doesn't normalise. Pass the tokenizer.json, or "
                f"leave these out: normalize={self.normalize}, pooling={self.pooling!r}."
            )

    @property
    def kind(self) -> str:
        """Vespa's type of the embedder."""
        return EMBEDDERS[Path(self.tokenizer).suffix]

    def component(self, name: str, dim: int) -> Element:
        """The component of `services.xml`.

        Args:
            name: str. Its id, which `embed(<name>, "...")` names.
            dim: int. Width of the items.

        Raises:
            ImportError: the extra `onnx` is not installed.
            FileNotFoundError: a file is missing.
            ValueError: the model or the tokenizer doesn't fit.
        """
        inputs = self._checked_inputs(dim)
        component = Element("component", id=name, type=self.kind)
        SubElement(component, "transformer-model", path=self.file(name))
        SubElement(component, _tokenizer_element(self.kind), path=self.tokenizer_file(name))
        settings = {"max-tokens": str(self.max_tokens), "transformer-input-ids": self.input_ids}
        if self.attention_mask in inputs:
            settings["transformer-attention-mask"] = self.attention_mask
        settings["transformer-token-type-ids"] = self.token_type_ids if self.token_type_ids in inputs else ""
        settings |= {"transformer-output": self.output, "pooling-strategy": self.pooling}
        for element, text in (settings | self._checked_tokenizer()).items():
            SubElement(component, element).text = text
        return component

    def file(self, name: str) -> str:
        """Path of the model in the application."""
        return f"models/embedder_{name}.onnx"

    def tokenizer_file(self, name: str) -> str:
        """Path of the tokenizer in the application."""
        return f"models/embedder_{name}{Path(self.tokenizer).suffix}"

    def _checked_inputs(self, dim: int) -> list[str]:
        signature = OnnxSignature.read(self.path)
        most = [self.input_ids, self.attention_mask, self.token_type_ids]
        least = 2 if self.kind == BERT else 1
        output = signature.outputs.get(self.output)
        width = 2 if self.pooling == "none" else 3
        fits = (
            any(set(signature.inputs) == set(most[:count]) for count in range(least, 4))
            and all(_is_tokens(tensor) for tensor in signature.inputs.values())
            and output is not None
            and output.dtype == "FLOAT"
            and len(output.sizes) == width
            and output.sizes[-1] == dim
        )
        if not fits:
            named = ", ".join(f"'{name}'" for name in most)
            raise signature.refuse(
                f"A {self.kind} takes {named} int64[batch, length] (the last {3 - least} may be missing), and gives "
                f"'{self.output}' float[{'batch' if width == 2 else 'batch, length'}, {dim}] with pooling="
                f"{self.pooling!r}."
            )
        return list(signature.inputs)

    def _checked_tokenizer(self) -> dict[str, str]:
        """What the tokenizer says about the embedder; raises where it is none."""
        if self.kind == BERT:
            pieces = read_pieces(Path(self.tokenizer))
            if missing := [piece for piece in ("[CLS]", "[SEP]") if piece not in pieces]:
                raise ValueError(f"{self.tokenizer} lacks the pieces {missing}: it is no vocabulary of BERT.")
            ends = {"start": "[CLS]", "end": "[SEP]"}
            return {f"transformer-{end}-sequence-token": str(pieces.index(piece)) for end, piece in ends.items()}
        try:
            content = json.loads(Path(self.tokenizer).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{self.tokenizer} is no JSON: {error}.") from error
        if not isinstance(content, dict) or "model" not in content:
            raise ValueError(f"{self.tokenizer} is no tokenizer.json of Hugging Face: it has no 'model'.")
        return {"normalize": str(self.normalize).lower()}


def _tokenizer_element(kind: str) -> str:
    return "tokenizer-vocab" if kind == BERT else "tokenizer-model"


def _is_tokens(tensor: OnnxTensor) -> bool:
    """Whether an input takes one text of any number of tokens."""
    return (
        tensor.dtype in ("INT64", "INT32")
        and len(tensor.sizes) == 2
        and (isinstance(tensor.sizes[0], str) or tensor.sizes[0] == 1)
        and isinstance(tensor.sizes[1], str)
    )
