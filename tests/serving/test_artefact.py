"""Folders of versions: whole or not there, and what can be wrong with one."""

import json
from pathlib import Path

import pytest

from tfdual.serving.artefact import DESCRIPTION, describe, find_version, publish, versions

ABOUT = {"query_schema": {}, "index": {"kind": "BruteForce"}}


def write(path: Path) -> None:
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_text("graph")


def everything(path: Path) -> list[str]:
    return sorted(str(child.relative_to(path)) for child in path.rglob("*"))


def test_versions_count_up_and_the_newest_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "movies"
    assert [publish(folder, write, ABOUT).name for _ in range(11)] == [str(i) for i in range(1, 12)]
    assert versions(folder) == list(range(1, 12))
    assert find_version(folder) == folder / "11"
    assert find_version(str(folder / "2")) == folder / "2"


def test_a_version_holds_what_was_written_and_its_description(tmp_path: Path) -> None:
    path = publish(tmp_path, write, ABOUT | {"more": "ä"})
    assert everything(path) == ["assets.extra", "assets.extra/tfdual.json", "saved_model.pb", "variables"]
    assert describe(path) == {"format": "tfdual.retriever", "version": 1, **ABOUT, "more": "ä"}


def test_other_files_beside_the_versions_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "7").write_text("a file")
    (tmp_path / "latest").mkdir()
    assert publish(tmp_path, write, ABOUT).name == "1"


@pytest.mark.parametrize("error", [OSError("disk full"), RuntimeError("half-way"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing_behind(error: BaseException, tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        write(path)
        raise error

    with pytest.raises(type(error)):
        publish(tmp_path / "models" / "movies", fail, ABOUT)
    assert everything(tmp_path) == []


def test_a_write_that_fails_leaves_earlier_versions_alone(tmp_path: Path) -> None:
    publish(tmp_path, write, ABOUT)
    before = everything(tmp_path)
    with pytest.raises(TypeError, match="not JSON serializable"):
        publish(tmp_path, write, ABOUT | {"report": object()})
    assert everything(tmp_path) == before
    assert publish(tmp_path, write, ABOUT).name == "2"


@pytest.mark.parametrize("inside", ["", "models"])
def test_a_file_in_place_of_the_folder_is_an_os_error(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "movies"
    file.write_text("mine")
    with pytest.raises(OSError, match="movies"):
        publish(file / inside if inside else file, write, ABOUT)
    assert everything(tmp_path) == ["movies"]
    assert file.read_text() == "mine"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no model directory .*nowhere. Make one with"):
        find_version(tmp_path / "nowhere")


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
    path = publish(tmp_path, write, ABOUT)
    (path / DESCRIPTION).write_bytes(content)
    with pytest.raises(ValueError, match=rf"tfdual\.json .*{message}.* Export the model again"):
        describe(path)
