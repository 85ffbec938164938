"""The XML of a package, against what Vespa's reference says, and the embedders in it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.tailoring.vespa.onnx_models import write_transformer
from tests.tailoring.vespa.package_reader import Package
from tests.tailoring.vespa.services_reference import QUERY_PROFILE, SERVICES, problems
from tfdual.tailoring import vespa

DIM = 4


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"version": "1.0", "model": {"type": "WordPiece", "vocab": {"a": 0}}}))
    return path


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n")
    return path


def written(folder: Path, tower: vespa.VespaQueryTower) -> tuple[Path, ElementTree.Element]:
    """A package with one embedder: its folder, and the component."""
    items = vespa.VespaItems(["a", "b"], np.eye(2, DIM))
    application = vespa.VespaApplication("claims", items, query_towers={"tuned": tower})
    package = application.write(folder / "application")
    root = ElementTree.parse(package / "services.xml").getroot()
    assert list(problems(root, SERVICES)) == []
    return package, root.find("container/component[@id='tuned']")


def settings(component: ElementTree.Element) -> dict[str, str | None]:
    return {child.tag: child.get("path") or child.text for child in component}


def test_the_services_search_feed_and_hold_the_documents(package: Package) -> None:
    root = ElementTree.parse(package.folder / "services.xml").getroot()
    assert root.tag == "services"
    assert list(problems(root, SERVICES)) == []
    assert root.find("content/documents/document").attrib == {"type": "claims", "mode": "index"}
    assert root.find("container/search") is not None
    assert root.find("container/document-api") is not None
    assert root.find("content/min-redundancy").text == "1"


def test_a_query_profile_searches_with_the_tensor_of_its_rank_profile(package: Package) -> None:
    files = {path.stem: path for path in (package.folder / "search" / "query-profiles").iterdir()}
    assert files.keys() == package.profiles.keys()
    for name, path in files.items():
        root = ElementTree.parse(path).getroot()
        assert root.tag == "query-profile"
        assert root.get("id") == name
        assert list(problems(root, QUERY_PROFILE)) == []
        fields = {field.get("name"): field.text for field in root}
        (tensor,) = package.inputs(name)
        search = f"{{targetHits: 100}}nearestNeighbor(embedding, {tensor})"
        assert fields == {"ranking.profile": name, "yql": f"select * from claims where {search}"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<search />", "<search /><search />"),
        ("<documents>", "<document />"),
        ('mode="index"', 'mod="index"'),
        ('version="1.0"', ""),
        ("<min-redundancy>", "<content /><min-redundancy>"),
    ],
)
def test_a_planted_fault_in_the_services_is_found(package: Package, old: str, new: str) -> None:
    """The check of these tests finds what it is meant to find."""
    text = (package.folder / "services.xml").read_text()
    assert old in text
    planted = text.replace(old, new)
    if new == "<document />":
        planted = planted.replace("</documents>", "")
    assert list(problems(ElementTree.fromstring(planted), SERVICES)) != []


def test_a_transformer_with_tokenizer_json_is_a_hugging_face_embedder(tmp_path: Path, tokenizer: Path) -> None:
    model = write_transformer(tmp_path / "model.onnx", DIM)
    tower = vespa.VespaQueryTower(model, tokenizer, pooling="cls", normalize=True, max_tokens=128)
    folder, component = written(tmp_path, tower)
    assert component.get("type") == "hugging-face-embedder"
    assert settings(component) == {
        "transformer-model": "models/embedder_tuned.onnx",
        "tokenizer-model": "models/embedder_tuned.json",
        "max-tokens": "128",
        "transformer-input-ids": "input_ids",
        "transformer-attention-mask": "attention_mask",
        "transformer-token-type-ids": "token_type_ids",
        "transformer-output": "last_hidden_state",
        "pooling-strategy": "cls",
        "normalize": "true",
    }
    assert (folder / "models" / "embedder_tuned.onnx").read_bytes() == model.read_bytes()
    assert (folder / "models" / "embedder_tuned.json").read_bytes() == tokenizer.read_bytes()


@pytest.mark.parametrize("inputs", [("ids",), ("ids", "attention_mask")])
def test_inputs_that_the_model_lacks_are_not_asked_for(tmp_path: Path, tokenizer: Path, inputs: tuple) -> None:
    model = write_transformer(tmp_path / "model.onnx", DIM, inputs, pooled=True, output="embedding")
    tower = vespa.VespaQueryTower(model, tokenizer, input_ids="ids", output="embedding", pooling="none")
    found = settings(written(tmp_path, tower)[1])
    assert found["transformer-input-ids"] == "ids"
    assert found["transformer-token-type-ids"] is None  # there, and empty: Vespa's word for none
    assert ("transformer-attention-mask" in found) == (len(inputs) == 2)
    assert (found["transformer-output"], found["pooling-strategy"]) == ("embedding", "none")


def test_a_vocabulary_makes_a_bert_embedder_with_the_ends_at_their_places(tmp_path: Path, vocabulary: Path) -> None:
    model = write_transformer(tmp_path / "model.onnx", DIM)
    _, component = written(tmp_path, vespa.VespaQueryTower(model, vocabulary))
    assert component.get("type") == "bert-embedder"
    found = settings(component)
    assert found["tokenizer-vocab"] == "models/embedder_tuned.txt"
    assert found["transformer-start-sequence-token"] == "2"
    assert found["transformer-end-sequence-token"] == "3"
    assert "normalize" not in found


@pytest.mark.parametrize(
    ("model", "tower"),
    [
        ({"dim": DIM + 1}, {}),
        ({"dim": DIM, "inputs": ("input_ids", "mask")}, {}),
        ({"dim": DIM, "shape": ("batch", 128)}, {}),
        ({"dim": DIM, "shape": (8, "length")}, {}),
        ({"dim": DIM, "output": "hidden"}, {}),
        ({"dim": DIM, "pooled": True}, {}),
        ({"dim": DIM}, {"pooling": "none"}),
    ],
)
def test_a_model_that_the_embedder_can_not_run_is_refused(
    tmp_path: Path, tokenizer: Path, model: dict, tower: dict
) -> None:
    path = write_transformer(tmp_path / "model.onnx", **model)
    with pytest.raises(ValueError, match=r"A hugging-face-embedder takes 'input_ids'.*takes '.*gives '"):
        written(tmp_path, vespa.VespaQueryTower(path, tokenizer, **tower))


def test_a_bert_embedder_needs_a_mask(tmp_path: Path, vocabulary: Path) -> None:
    path = write_transformer(tmp_path / "model.onnx", DIM, ("input_ids",))
    with pytest.raises(ValueError, match="A bert-embedder takes"):
        written(tmp_path, vespa.VespaQueryTower(path, vocabulary))


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("tokenizer.json", "{", "no JSON"),
        ("tokenizer.json", "[]", "no 'model'"),
        ("vocab.txt", "a\nb\n", "lacks the pieces"),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    (tmp_path / name).write_text(text)
    path = write_transformer(tmp_path / "model.onnx", DIM)
    with pytest.raises(ValueError, match=complaint):
        written(tmp_path, vespa.VespaQueryTower(path, tmp_path / name))


@pytest.mark.parametrize(
    ("tokenizer", "options", "complaint"),
    [
        ("pieces.model", {}, "tokenizer.json or a vocab.txt"),
        ("tokenizer.json", {"pooling": "max"}, "pooling"),
        ("tokenizer.json", {"max_tokens": 0}, "max_tokens"),
        ("vocab.txt", {"normalize": True}, "bert-embedder"),
        ("vocab.txt", {"pooling": "none"}, "bert-embedder"),
    ],
)
def test_options_that_vespa_lacks_are_refused(tokenizer: str, options: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        vespa.VespaQueryTower("model.onnx", tokenizer, **options)
