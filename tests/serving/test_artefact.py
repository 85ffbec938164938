"""Folders of versions: which one is meant, and what can be wrong with it."""

import json
from pathlib import Path

import pytest

from tfdual.serving import Versions
from tfdual.serving.artefact import describe, find_version, opened
from tfdual.serving.version import DESCRIPTION

ABOUT = {"query_schema": {}, "index": {"kind": "BruteForce"}}


def publish(folder: Path) -> Path:
    return Versions(folder).publish(lambda path: (path / "saved_model.pb").write_text("graph"), ABOUT).path


def test_the_newest_is_found_by_number_and_a_version_by_its_own_path(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "movies"
    assert [publish(folder).name for _ in range(11)] == [str(i) for i in range(1, 12)]
    assert find_version(folder) == folder / "11"
    assert find_version(str(folder / "2")) == folder / "2"
    assert find_version(folder, 3) == folder / "3"


def test_a_version_that_is_opened_comes_with_its_description(tmp_path: Path) -> None:
    path = publish(tmp_path)
    with opened(tmp_path) as (found, description):
        assert (found, description) == (path, {"format": "tfdual.retriever", "version": 1, **ABOUT})


@pytest.mark.parametrize("part", ["saved_model.pb", "assets.extra/manifest.json"])
@pytest.mark.parametrize("byte", [0, 2, 4])
def test_a_version_with_one_other_byte_is_not_opened(byte: int, part: str, tmp_path: Path) -> None:
    path = publish(tmp_path)
    content = bytearray((path / part).read_bytes())
    content[byte] ^= 1
    (path / part).write_bytes(content)
    with pytest.raises(ValueError, match=r"1 is damaged and can't be loaded: .+\. Export it again"), opened(tmp_path):
        pass


def test_a_version_without_a_manifest_is_not_opened(tmp_path: Path) -> None:
    path = publish(tmp_path)
    (path / "assets.extra" / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"manifest\.json can't be read: No such file.* Export it again"), opened(path):
        pass


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no model directory .*nowhere. Make one with"):
        find_version(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no model directory .*nowhere. Make one with"):
        find_version(tmp_path / "nowhere", "stable")


@pytest.mark.parametrize("content", [None, "notes.txt", "saved_model.pb", "1/saved_model.pb"])
def test_a_folder_of_something_else_is_named(content: str | None, tmp_path: Path) -> None:
    if content:
        (tmp_path / content).parent.mkdir(exist_ok=True)
        (tmp_path / content).write_text("?")
    with pytest.raises(ValueError, match=r"is no tfdual model: it lacks assets.extra/tfdual.json"):
        find_version(tmp_path)


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_text("?")
    with pytest.raises(ValueError, match=r"model\.keras is no tfdual model"):
        find_version(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"model\.keras is no tfdual model"), opened(tmp_path / "model.keras"):
        pass


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is damaged"),
        (b'{"format": "tfdual.retr', "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (b"[]", "not of format tfdual.retriever, version 1"),
        (b'{"format": "other", "version": 1}', "not of format tfdual.retriever, version 1"),
        (json.dumps({"format": "tfdual.retriever", "version": 2, **ABOUT}).encode(), "not of format"),
        (b'{"format": "tfdual.retriever", "version": 1}', "is damaged: it lacks 'query_schema' or 'index'"),
        (b'{"format": "tfdual.retriever", "version": 1, "query_schema": {}, "index": 5}', "is damaged: it lacks"),
    ],
)
def test_a_damaged_description_is_one_clear_error(content: bytes, message: str, tmp_path: Path) -> None:
    path = publish(tmp_path)
    (path / DESCRIPTION).write_bytes(content)
    with pytest.raises(ValueError, match=rf"tfdual\.json .*{message}.* Export the model again"):
        describe(path)
    with pytest.raises(ValueError, match=rf"tfdual\.json .*{message}.* Export the model again"), opened(path):
        pass
