"""What the families of BERT call their sizes and their tensors."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfdual._typing import Shape

ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu"}
SEGMENTS = "embeddings.token_type_embeddings.weight"
Read = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Family:
    """Names of one family.

    Args:
        config: argument of `TextTransformer` -> entry of `config.json`.
        layer: what stands before the parts of a layer, with its number.
        parts: part of a layer -> its name; the three of attention one after another.
        norms: normalisation of a layer -> its name.
        epsilon: float. Of the normalisation, where the config doesn't say.
        first_position: int. Rows of the table of positions before that of the first token.
        segments: bool. There is a table of segments.
        pooler: the layer on the first token of a pair, its activation, and the layer that gives the score.
    """

    config: Mapping[str, str]
    layer: str
    parts: Mapping[str, tuple[str, ...]]
    norms: Mapping[str, str]
    epsilon: float = 1e-12
    first_position: int = 0
    segments: bool = True
    pooler: tuple[str, str, str] = ("pooler.dense", "tanh", "classifier")

    def sizes(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of `TextTransformer`.

        Raises:
            ValueError: an entry is missing, or asks for what a `TextTransformer` can't do.
        """
        if missing := sorted(name for name in self.config.values() if name not in config):
            raise ValueError(f"The model's config lacks {missing}.")
        sizes = {argument: config[name] for argument, name in self.config.items()}
        if sizes["activation"] not in ACTIVATIONS:
            raise ValueError(f"The activation is one of {sorted(ACTIVATIONS)}. The model's is {sizes['activation']!r}.")
        if (positions := config.get("position_embedding_type", "absolute")) != "absolute":
            raise ValueError(f"TextEncoder knows absolute positions. The model's are {positions!r}.")
        return sizes | {
            "activation": ACTIVATIONS[sizes["activation"]],
            "max_length": sizes["max_length"] - self.first_position,
            "epsilon": config.get("layer_norm_eps", self.epsilon),
        }

    def shapes(self, sizes: Mapping[str, Any]) -> dict[str, Shape]:
        """The tensors that a file holds, without its prefix, and their shapes."""
        dim, wide = sizes["dim"], sizes["feed_forward_dim"]
        found: dict[str, Shape] = {
            "embeddings.word_embeddings.weight": (sizes["vocabulary_size"], dim),
            "embeddings.position_embeddings.weight": (sizes["max_length"] + self.first_position, dim),
        }
        outputs = {"attention": dim, "mixed": dim, "up": wide, "down": dim}
        norms = ["embeddings.LayerNorm"]
        for place in range(sizes["num_layers"]):
            layer = self.layer.format(place)
            for part, names in self.parts.items():
                for name in names:
                    found[f"{layer}.{name}.weight"] = (outputs[part], wide if part == "down" else dim)
                    found[f"{layer}.{name}.bias"] = (outputs[part],)
            norms += [f"{layer}.{name}" for name in self.norms.values()]
        return found | {f"{norm}.{kind}": (dim,) for norm in norms for kind in ("weight", "bias")}

    def arrays(self, read: Read, num_layers: int) -> dict[str, np.ndarray]:
        """The weights by their paths in a `TextTransformer`.

        Args:
            read: from a name of `shapes`, or that of the table of segments, to the tensor.
            num_layers: int.
        """
        positions = read("embeddings.position_embeddings.weight")[self.first_position :]
        if self.segments:
            positions = positions + read(SEGMENTS)[0]
        found = {"tokens": read("embeddings.word_embeddings.weight"), "positions": positions}
        norms = {"norm": "embeddings.LayerNorm"}
        for place in range(num_layers):
            layer = self.layer.format(place)
            for part, names in self.parts.items():
                kernels = [read(f"{layer}.{name}.weight").T for name in names]
                found[f"layer_{place}/{part}_kernel"] = np.concatenate(kernels, axis=1)
                found[f"layer_{place}/{part}_bias"] = np.concatenate([read(f"{layer}.{name}.bias") for name in names])
            norms |= {f"layer_{place}/{norm}": f"{layer}.{name}" for norm, name in self.norms.items()}
        for ours, theirs in norms.items():
            found |= {f"{ours}_gamma": read(f"{theirs}.weight"), f"{ours}_beta": read(f"{theirs}.bias")}
        return found

    def pair_arrays(self, read: Read, names: Collection[str]) -> dict[str, np.ndarray]:
        """What a model of pairs has beside these, as a `Checkpoint` calls it.

        Args:
            read: from a name to the tensor.
            names: of the tensors that there are.
        """
        found = {}
        if self.segments and len(segments := read(SEGMENTS)) > 1:
            found["second_segment"] = segments[1] - segments[0]
        pooler, _, score = self.pooler
        for ours, theirs in {"pooler": pooler, "score": score}.items():
            if f"{theirs}.weight" in names and f"{theirs}.bias" in names:
                found |= {f"{ours}_kernel": read(f"{theirs}.weight").T, f"{ours}_bias": read(f"{theirs}.bias")}
        return found


BERT = Family(
    config={
        "vocabulary_size": "vocab_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "dim": "hidden_size",
        "feed_forward_dim": "intermediate_size",
        "max_length": "max_position_embeddings",
        "activation": "hidden_act",
        "dropout": "hidden_dropout_prob",
    },
    layer="encoder.layer.{}",
    parts={
        "attention": ("attention.self.query", "attention.self.key", "attention.self.value"),
        "mixed": ("attention.output.dense",),
        "up": ("intermediate.dense",),
        "down": ("output.dense",),
    },
    norms={"attention_norm": "attention.output.LayerNorm", "feed_forward_norm": "output.LayerNorm"},
)
DISTILBERT = Family(
    config={
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "dim": "dim",
        "feed_forward_dim": "hidden_dim",
        "max_length": "max_position_embeddings",
        "activation": "activation",
        "dropout": "dropout",
    },
    layer="transformer.layer.{}",
    parts={
        "attention": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        "mixed": ("attention.out_lin",),
        "up": ("ffn.lin1",),
        "down": ("ffn.lin2",),
    },
    norms={"attention_norm": "sa_layer_norm", "feed_forward_norm": "output_layer_norm"},
    segments=False,
    pooler=("pre_classifier", "relu", "classifier"),
)
ROBERTA = Family(
    BERT.config,
    BERT.layer,
    BERT.parts,
    BERT.norms,
    epsilon=1e-5,
    first_position=2,
    pooler=("classifier.dense", "tanh", "classifier.out_proj"),
)
FAMILIES = {"bert": BERT, "distilbert": DISTILBERT, "roberta": ROBERTA, "xlm-roberta": ROBERTA}
