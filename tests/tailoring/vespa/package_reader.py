"""A written application package, read back as Vespa's reference says of its files; nothing of tfdual is imported."""

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from tests.tailoring.vespa.ranking_expression import Feature, Named, evaluate, scalar, tensor_sizes


@dataclass
class Block:
    """`head { lines and blocks }`."""

    head: str
    lines: dict[str, str] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)

    def named(self, kind: str) -> dict[str, "Block"]:
        """The inner blocks `kind name ... {`: name -> block."""
        words = [(block.head.split(), block) for block in self.blocks]
        return {split[1]: block for split, block in words if split[0] == kind}

    def inner(self, head: str) -> "Block":
        (found,) = [block for block in self.blocks if block.head == head]
        return found

    def has(self, head: str) -> bool:
        return any(block.head == head for block in self.blocks)


def parse_schema(text: str) -> Block:
    """Blocks of a schema. A line is `what {`, `}`, or `name: value`; `#` begins a comment."""
    open_blocks = [Block("")]
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if line.endswith("{"):
            open_blocks.append(Block(line[:-1].strip()))
            open_blocks[-2].blocks.append(open_blocks[-1])
        elif line == "}":
            if len(open_blocks) == 1:
                raise ValueError(f"line {number} closes nothing")
            open_blocks.pop()
        elif line:
            name, _, value = line.partition(" " if line.startswith("query(") else ": ")
            if not value or name in open_blocks[-1].lines:
                raise ValueError(f"line {number} is no setting, or one that was there: {line}")
            open_blocks[-1].lines[name] = value.strip()
    if len(open_blocks) != 1:
        raise ValueError(f"{open_blocks[-1].head} is not closed")
    (schema,) = open_blocks[0].blocks
    return schema


class Package:
    """The files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (path,) = (folder / "schemas").iterdir()
        self.schema = parse_schema(path.read_text(encoding="utf-8"))
        assert self.schema.head == f"schema {path.stem}"
        self.document = self.schema.inner(f"document {path.stem}")
        self.fields = {name: block.head.split()[3] for name, block in self.document.named("field").items()}
        self.profiles = self.schema.named("rank-profile")

    def part(self, profile: str, kind: str) -> dict[str, str]:
        """The settings of `inputs` or `constants`, inherited ones too."""
        lines = {}
        for block in self.lineage(profile):
            lines |= block.inner(kind).lines if block.has(kind) else {}
        return lines

    def lineage(self, profile: str) -> list[Block]:
        """The profiles that it inherits, and itself."""
        block = self.profiles[profile]
        _, _, parent = block.head.partition(" inherits ")
        return [*(self.lineage(parent) if parent else []), block]

    def functions(self, profile: str) -> dict[str, str]:
        found = {}
        for block in self.lineage(profile):
            found |= {name: body.lines["expression"] for name, body in block.named("function").items()}
        return {name.removesuffix("()"): text for name, text in found.items()}

    def phase(self, profile: str, phase: str) -> Block:
        return [block.inner(phase) for block in self.lineage(profile) if block.has(phase)][-1]

    def models(self, profile: str) -> dict[str, Block]:
        return {name: body for block in self.lineage(profile) for name, body in block.named("onnx-model").items()}

    def inputs(self, profile: str) -> dict[str, dict[str, int]]:
        """Tensors of the query: name -> sizes."""
        declared = self.part(profile, "inputs")
        return {name.removeprefix("query(").removesuffix(")"): tensor_sizes(kind) for name, kind in declared.items()}

    def constants(self, profile: str) -> dict[str, tuple[dict[str, int], Path]]:
        """Constants: name -> sizes, and the file."""
        found = {}
        for declared, file in self.part(profile, "constants").items():
            name, kind = declared.split(" ", 1)
            found[name] = (tensor_sizes(kind), self.folder / file.removeprefix("file: "))
        return found

    def constant(self, profile: str, name: str) -> Named:
        """A constant from its file, which must have the type that the schema declares."""
        sizes, path = self.constants(profile)[name]
        content = json.loads(path.read_text(encoding="utf-8"))
        if tensor_sizes(content["type"]) != sizes:
            raise ValueError(f"{path.name} is {content['type']}, and declared {sizes}")
        dims = tuple(sorted(sizes))
        cells = np.array(content["values"], np.float64)
        if cells.shape != tuple(sizes[name] for name in dims):
            raise ValueError(f"{path.name} has cells {cells.shape} for {sizes}")
        return Named(dims, cells)

    def score(
        self, profile: str, phase: str, query: dict[str, np.ndarray], item: np.ndarray, closeness: float
    ) -> float:
        """What a phase gives an item, where the search found it as close as `closeness`."""

        def feature(name: str, arguments: list[str], output: str | None) -> Named:
            if name == "query":
                return Named(("x",), query[arguments[0]].astype(np.float64))
            if name == "constant":
                return self.constant(profile, arguments[0])
            if (name, arguments) == ("attribute", ["embedding"]):
                return Named(("x",), item.astype(np.float64))
            if (name, arguments) == ("closeness", ["field", "embedding"]):
                return scalar(closeness)
            if name == "onnx":
                return self._run(self.models(profile)[arguments[0]], output, value)
            return value(name)

        def value(function: str) -> Named:
            return evaluate(self.functions(profile)[function], feature)

        result = evaluate(self.phase(profile, phase).lines["expression"], feature)
        assert result.dims == ()
        return float(result.cells)

    def _run(self, model: Block, output: str | None, value: Any) -> Named:
        session = onnxruntime.InferenceSession(self.folder / model.lines["file"], providers=["CPUExecutionProvider"])
        feed = {}
        for name, source in model.lines.items():
            if name.startswith("input "):
                tensor = value(source)
                assert tensor.dims == ("d0", "d1")
                feed[name.removeprefix("input ").strip('"')] = tensor.cells.astype(np.float32)
        names = {source: name.removeprefix("output ").strip('"') for name, source in model.lines.items()}
        (cells,) = session.run([names[output]], feed)
        return Named(tuple(f"d{place}" for place in range(cells.ndim)), cells.astype(np.float64))

    def problems(self) -> list[str]:
        """What a profile reads without its being declared, and what doesn't fit; empty where all is well."""
        found = []
        for profile in self.profiles:
            for phase in ("first-phase", "second-phase"):
                blocks = [block for block in self.lineage(profile) if block.has(phase)]
                if blocks:
                    try:
                        result = evaluate(blocks[-1].inner(phase).lines["expression"], self.declared(profile))
                        if result.dims:
                            raise ValueError(f"the score has the dimensions {result.dims}")
                    except (ValueError, KeyError, IndexError) as error:
                        found.append(f"{profile}, {phase}: {error!r}")
        return found

    def declared(self, profile: str) -> Feature:
        """Tensors of the declared types, of ones."""

        def ones(sizes: dict[str, int]) -> Named:
            return Named(tuple(sorted(sizes)), np.ones([sizes[name] for name in sorted(sizes)]))

        def feature(name: str, arguments: list[str], output: str | None) -> Named:
            if name == "query":
                return ones(self.inputs(profile)[arguments[0]])
            if name == "constant":
                self.constant(profile, arguments[0])
                return ones(self.constants(profile)[arguments[0]][0])
            if name == "attribute":
                return ones(tensor_sizes(self.fields[arguments[0]]))
            if name == "closeness":
                tensor_sizes(self.fields[arguments[1]])
                return scalar(1)
            if name == "onnx":
                model = self.models(profile)[arguments[0]]
                for key, source in model.lines.items():
                    if key.startswith("input ") and feature(source, [], None).dims != ("d0", "d1"):
                        raise ValueError(f"{source} needs the dimensions d0 and d1")
                if output not in [source for key, source in model.lines.items() if key.startswith("output ")]:
                    raise KeyError(output)
                if not (self.folder / model.lines["file"]).is_file():
                    raise KeyError(model.lines["file"])
                return ones({"d0": 1, "d1": 1})
            return evaluate(self.functions(profile)[name], feature)

        return feature

    def documents(self) -> Iterator[dict[str, Any]]:
        """The documents of the feed, their embeddings as numbers."""
        for line in (self.folder / "feed.jsonl").read_text(encoding="utf-8").split("\n")[:-1]:
            document = json.loads(line)
            digits = document["fields"]["embedding"]["values"]
            assert re.fullmatch(r"([0-9A-F]{8})+", digits)
            cells = [struct.unpack(">f", bytes.fromhex(digits[at : at + 8]))[0] for at in range(0, len(digits), 8)]
            document["fields"]["embedding"] = np.array(cells, np.float32)
            yield document
