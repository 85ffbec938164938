"""`tfdual versions`: each command does what `Versions` does, and says so in words and in JSON."""

import json
from pathlib import Path

import pytest

from tfdual.serving import Versions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four versions, 1 and then 2 stable."""
    store = Versions(tmp_path / "movies")
    about = {"index": {"kind": "BruteForce", "items": 1234}, "query_schema": {}}
    for _ in range(4):
        store.publish(lambda path: (path / "saved_model.pb").write_text("graph"), about)
    store.promote(1)
    store.promote(2)
    return store.folder


def test_the_list_has_a_line_a_version(run_tfdual, folder: Path) -> None:
    finished = run_tfdual("versions", "list", folder)
    assert (finished.code, finished.err) == (0, "")
    (line,) = [line for line in finished.out.splitlines() if "stable" in line]
    assert ["2" in line, "whole" in line, "BruteForce" in line] == [True, True, True]
    listed = json.loads(run_tfdual("versions", "list", folder, "--json").out)
    assert [version["number"] for version in listed] == [1, 2, 3, 4]
    assert [version["labels"] for version in listed] == [[], ["stable"], [], []]
    assert listed[3]["path"] == str(folder / "4")
    assert listed[3]["summary"] == {"index": {"kind": "BruteForce", "items": 1234}}


def test_labels_are_promoted_and_rolled_back(run_tfdual, folder: Path) -> None:
    store = Versions(folder)
    assert run_tfdual("versions", "promote", folder, "4").out == "stable is now version 4\n"
    assert run_tfdual("versions", "promote", folder, "3", "--label", "canary").out == "canary is now version 3\n"
    assert [store.resolve(label).name for label in ("stable", "canary")] == ["4", "3"]
    assert json.loads(run_tfdual("versions", "roll-back", folder, "--json").out)["number"] == 2
    assert run_tfdual("versions", "roll-back", folder).out == "stable is now version 1\n"
    assert store.resolve("stable").name == "1"


def test_old_versions_are_pruned(run_tfdual, folder: Path) -> None:
    Versions(folder).promote(3)
    assert run_tfdual("versions", "prune", folder, "--keep", "1").out == "removed 1; kept 2, 3, 4\n"
    assert json.loads(run_tfdual("versions", "prune", folder, "--json").out) == {"removed": [], "kept": [2, 3, 4]}


def test_verify_ends_with_1_where_a_file_is_not_what_was_published(run_tfdual, folder: Path) -> None:
    assert run_tfdual("versions", "verify", folder)[:2] == (0, "1  whole\n2  whole\n3  whole\n4  whole\n")
    (folder / "3" / "saved_model.pb").write_text("grapf")
    finished = run_tfdual("versions", "verify", folder, "3", "4")
    assert finished.code == 1
    assert finished.out == "3  saved_model.pb has other bytes than were published\n4  whole\n"
    finished = run_tfdual("versions", "verify", folder, "--json")
    found = {"1": [], "2": [], "3": ["saved_model.pb has other bytes than were published"], "4": []}
    assert (finished.code, json.loads(finished.out)) == (1, found)


@pytest.mark.parametrize(
    "words, part",
    [
        (["promote", "9"], "holds no version 9. It holds 1, 2, 3, 4."),
        (["promote", "3", "--label", "prod"], "A label is one of stable, canary. Received 'prod'."),
        (["roll-back", "--label", "canary"], "named no version before"),
        (["prune", "--keep", "0"], "Received keep=0"),
        (["verify", "9"], "holds no version 9"),
    ],
)
def test_a_bad_input_is_one_line_and_changes_nothing(run_tfdual, folder: Path, words: list[str], part: str) -> None:
    before = (folder / "model.config").read_text(), Versions(folder).list()
    finished = run_tfdual("versions", words[0], folder, *words[1:])
    assert (finished.code, finished.out) == (2, "")
    assert len(finished.err.splitlines()) == 1
    assert part in finished.err
    assert ((folder / "model.config").read_text(), Versions(folder).list()) == before


@pytest.mark.parametrize("words", [["list"], ["promote", "1"], ["roll-back"], ["prune"], ["verify"]])
def test_a_missing_folder_is_named(run_tfdual, tmp_path: Path, words: list[str]) -> None:
    finished = run_tfdual("versions", words[0], tmp_path / "nowhere", *words[1:])
    assert finished.code == 2
    assert "no model directory" in finished.err
    assert list(tmp_path.iterdir()) == []
