"""A model that scores the best candidates again, in Vespa's second phase."""

from dataclasses import dataclass
from pathlib import Path

from tfdual.tailoring.vespa.onnx_signature import OnnxSignature, OnnxTensor
from tfdual.tailoring.vespa.text_blocks import block
from tfdual.tailoring.vespa.vespa_index import ITEM

NAME = "reranker"
FILE = f"models/{NAME}.onnx"


@dataclass(frozen=True)
class VespaReranker:
    """An ONNX model from an embedding of the query and one of an item to a score, the highest the best.

    Vespa gives it one pair at a time: both inputs are float32 `(1, dim)`. `export_onnx(model, path, output="score")` of
    a `DeepReranker` writes one, and so does `export(path, format="onnx")` of a Keras model.

    Args:
        path: of the ONNX file.
        query: str. Its input for the query. Defaults to `"query_vector"`, as that of a `DeepReranker`.
        item: str. Its input for the item. Defaults to `"vector"`, as that of a `DeepReranker`.
    """

    path: str | Path
    query: str = "query_vector"
    item: str = "vector"

    def checked_output(self, dim: int) -> str:
        """The name of the model's output, if it fits embeddings of width `dim`.

        Raises:
            ImportError: the extra `onnx` is not installed.
            FileNotFoundError: there is no such file.
            ValueError: it is no ONNX file, or has other inputs or outputs.
        """
        signature = OnnxSignature.read(self.path)
        scores = list(signature.outputs.items())
        fits = (
            self.query != self.item
            and set(signature.inputs) == {self.query, self.item}
            and all(_is_vector(tensor, dim) for tensor in signature.inputs.values())
            and len(scores) == 1
            and _is_score(scores[0][1])
            and not any(mark in name for name in (self.query, self.item, scores[0][0]) for mark in '"\n')
        )
        if not fits:
            raise signature.refuse(
                f"A re-ranker takes '{self.query}' float[batch, {dim}] and '{self.item}' float[batch, {dim}], and "
                "gives one score, float[batch, 1] or float[batch]."
            )
        return scores[0][0]

    def rank_profile(self, output: str, candidates: int) -> str:
        """The rank profile.

        Args:
            output: str. Name of the model's output.
            candidates: int. How many items are scored, on each content node.
        """
        return block(
            "rank-profile reranked inherits frozen",
            "# ONNX counts dimensions: d0 is the batch, of one pair here, and d1 the embedding.",
            block("function query_input()", f"expression: {_batch_of_one('query(q)')}"),
            block("function item_input()", f"expression: {_batch_of_one(ITEM)}"),
            block(
                f"onnx-model {NAME}",
                f"file: {FILE}",
                f'input "{self.query}": query_input',
                f'input "{self.item}": item_input',
                f'output "{output}": score',
            ),
            block("second-phase", f"rerank-count: {candidates}", f"expression: sum(onnx({NAME}).score)"),
        )


def _batch_of_one(vector: str) -> str:
    return f"rename({vector} * tensor<float>(d0[1]):[1], x, d1)"


def _is_vector(tensor: OnnxTensor, dim: int) -> bool:
    return tensor.dtype == "FLOAT" and len(tensor.sizes) == 2 and _is_one(tensor.sizes[0]) and tensor.sizes[1] == dim


def _is_score(tensor: OnnxTensor) -> bool:
    return tensor.dtype == "FLOAT" and len(tensor.sizes) in (1, 2) and all(map(_is_one, tensor.sizes))


def _is_one(size: int | str) -> bool:
    """Whether a dimension can have one row."""
    return isinstance(size, str) or size == 1
