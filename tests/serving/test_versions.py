"""Versions of a model: published whole, found by label, moved, rolled back, pruned, and checked."""

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from tfdual.serving import Version, Versions
from tfdual.serving.folder_lock import locked

TREE = ["assets.extra", "assets.extra/manifest.json", "assets.extra/tfdual.json", "saved_model.pb", "variables"]
LIMITED = """
import resource, sys
from pathlib import Path
from tfdual.serving import Versions
store, limit = Versions(sys.argv[1]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    if sys.argv[2] == "publish":
        store.publish(lambda path: (path / "saved_model.pb").write_bytes(bytes(10_000)), {})
    else:
        store.promote(2)
except OSError as error:
    print(error.strerror)
"""


def write(path: Path) -> None:
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_text("graph")


def everything(path: Path) -> list[str]:
    return sorted(str(child.relative_to(path)) for child in path.rglob("*"))


def store_of(folder: Path, versions: int, *promoted: int) -> Versions:
    store = Versions(folder)
    for _ in range(versions):
        store.publish(write, {})
    for number in promoted:
        store.promote(number)
    return store


def labels(store: Versions) -> dict[str, int]:
    return {label: version.number for version in store.list() for label in version.labels}


def test_versions_count_up_and_hold_what_was_written_with_its_description(tmp_path: Path) -> None:
    store = Versions(tmp_path / "models" / "movies")
    assert [store.publish(write, {"more": "ä"}).number for _ in range(11)] == list(range(1, 12))
    assert store.numbers() == list(range(1, 12))
    assert everything(store.resolve(11)) == TREE
    content = json.loads((store.resolve(1) / "assets.extra" / "tfdual.json").read_text(encoding="utf-8"))
    assert content == {"format": "tfdual.retriever", "version": 1, "more": "ä"}


def test_other_files_beside_the_versions_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "7").write_text("a file")
    for name in ("latest", "008", "²", "-3"):
        (tmp_path / name).mkdir()
    assert store_of(tmp_path, 1).numbers() == [1]


def test_the_listing_tells_number_time_size_labels_and_what_a_version_is(tmp_path: Path) -> None:
    store = Versions(tmp_path)
    about = {"query_schema": {}, "index": {"kind": "BruteForce", "items": 60}, "report": {"recall": 1}, "parameters": 5}
    published = store.publish(write, about)
    store.publish(write, {})
    store.promote(1)
    store.promote(2, "canary")
    first, second = store.list()
    assert isinstance(first, Version)
    assert (first.number, first.path, first.labels, first.state) == (1, tmp_path / "1", ("stable",), "whole")
    assert first.summary == {"index": {"kind": "BruteForce", "items": 60}, "parameters": 5}
    assert first.size == 5 + (tmp_path / "1" / "assets.extra" / "tfdual.json").stat().st_size
    assert first.published == published.published
    assert first.published.endswith("+00:00")
    assert second.labels == ("canary",)


def test_what_write_adds_to_the_description_is_kept(tmp_path: Path) -> None:
    about: dict = {}
    version = Versions(tmp_path).publish(lambda path: about.update(recall=0.5), about)
    assert version.summary == {"recall": 0.5}


@pytest.mark.parametrize("error", [OSError("disk full"), RuntimeError("half-way"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing_behind(error: BaseException, tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        write(path)
        raise error

    with pytest.raises(type(error)):
        Versions(tmp_path / "models" / "movies").publish(fail, {})
    assert everything(tmp_path) == []


def test_a_write_that_fails_leaves_earlier_versions_alone(tmp_path: Path) -> None:
    store = store_of(tmp_path, 1)
    before = everything(tmp_path)
    with pytest.raises(TypeError, match="not JSON serializable"):
        store.publish(write, {"report": object()})
    assert everything(tmp_path) == before
    assert store.publish(write, {}).number == 2


@pytest.mark.parametrize("inside", ["", "models"])
def test_a_file_in_place_of_the_folder_is_an_os_error(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "movies"
    file.write_text("mine")
    with pytest.raises(OSError, match="movies"):
        Versions(file / inside if inside else file).publish(write, {})
    assert everything(tmp_path) == ["movies"]
    assert file.read_text() == "mine"


def test_labels_name_versions_and_go_back_as_often_as_they_were_moved(tmp_path: Path) -> None:
    store = store_of(tmp_path, 4, 1, 3, 3, 4)
    store.promote(2, "canary")
    assert labels(store) == {"stable": 4, "canary": 2}
    assert [store.roll_back().number, store.roll_back().number] == [3, 1]
    assert labels(store) == {"stable": 1, "canary": 2}
    with pytest.raises(ValueError, match=r"'stable' of .* named no version before.* Promote one of 1, 2, 3, 4"):
        store.roll_back()
    with pytest.raises(ValueError, match=r"'canary' of .* named no version before"):
        store.roll_back("canary")


def test_a_version_is_resolved_by_label_by_number_and_as_the_latest(tmp_path: Path) -> None:
    store = store_of(tmp_path, 11, 9)
    found = {version: store.resolve(version).name for version in ("stable", "latest", 10)}
    assert found == {"stable": "9", "latest": "11", 10: "10"}
    with pytest.raises(ValueError, match=r"no label 'canary'. Its labels: stable 9; its versions: 1, 2, .*11"):
        store.resolve("canary")
    with pytest.raises(ValueError, match=r"holds no version 12. It holds 1, 2, .*11"):
        store.resolve(12)
    with pytest.raises(FileNotFoundError, match="no model directory"):
        Versions(tmp_path / "nowhere").resolve("latest")


def test_labels_move_only_to_whole_versions_that_are_there(tmp_path: Path) -> None:
    store = store_of(tmp_path, 3, 1)
    (tmp_path / "2" / "saved_model.pb").write_text("grapf")
    for number, message in ((2, "saved_model.pb has other bytes"), (9, "holds no version 9")):
        with pytest.raises(ValueError, match=message):
            store.promote(number)
    with pytest.raises(ValueError, match=r"one of stable, canary. Received 'stabel'"):
        store.promote(3, "stabel")
    assert labels(store) == {"stable": 1}
    store.promote(3)
    (tmp_path / "1" / "saved_model.pb").unlink()
    with pytest.raises(ValueError, match=r"only to a whole version.*saved_model.pb can't be read: No such file"):
        store.roll_back()
    assert labels(store) == {"stable": 3}


@pytest.mark.parametrize(
    "damage, sizes, checksums",
    [
        (lambda path: (path / "saved_model.pb").write_text("grap"), True, "saved_model.pb has 4 bytes instead of 5"),
        (lambda path: (path / "saved_model.pb").write_text("grapf"), False, "saved_model.pb has other bytes"),
        (lambda path: (path / "saved_model.pb").unlink(), True, "saved_model.pb can't be read: No such file"),
        (lambda path: (path / "assets.extra/manifest.json").unlink(), True, "manifest.json can't be read"),
        (lambda path: (path / "assets.extra/manifest.json").write_text("{"), True, "manifest.json is damaged"),
        (lambda path: (path / "assets.extra/manifest.json").write_text("[]"), True, "manifest.json is damaged"),
        (lambda path: (path / "assets.extra/manifest.json").write_bytes(b"\xff"), True, "manifest.json is damaged"),
    ],
)
def test_verify_tells_what_is_corrupt_and_the_listing_what_its_size_shows(
    damage, sizes: bool, checksums: str, tmp_path: Path
) -> None:
    store = store_of(tmp_path, 2)
    damage(tmp_path / "2")
    (fault,) = store.verify(2)
    assert checksums in fault
    assert store.verify(1) == []
    assert [version.state == "whole" for version in store.list()] == [True, not sizes]


def test_a_file_that_was_added_is_no_fault(tmp_path: Path) -> None:
    store = store_of(tmp_path, 1)
    (tmp_path / "1" / ".DS_Store").write_text("?")
    assert store.verify(1) == []


def test_prune_keeps_the_newest_what_labels_name_and_named_before(tmp_path: Path) -> None:
    store = store_of(tmp_path, 9, 1, 3, 4)
    store.promote(5, "canary")
    assert store.prune(keep=2) == [1, 2, 6, 7]
    assert store.numbers() == [3, 4, 5, 8, 9]
    assert store.roll_back().number == 3
    assert store.prune(keep=1) == [4, 8]
    with pytest.raises(ValueError, match="named no version before that is still there"):
        store.roll_back()
    with pytest.raises(ValueError, match=r"at least one version. Received keep=0"):
        store.prune(0)
    assert everything(tmp_path / "3") == TREE


def test_prune_keeps_the_version_below_stable_where_that_named_nothing_before(tmp_path: Path) -> None:
    store = store_of(tmp_path, 5, 4)
    assert store.prune(keep=1) == [1, 2]


def test_prune_counts_whole_versions_alone_and_never_frees_the_highest_number(tmp_path: Path) -> None:
    store = store_of(tmp_path, 6)
    for number in ("4", "6"):
        (tmp_path / number / "saved_model.pb").unlink()
    assert store.prune(keep=2) == [1, 2, 4]
    assert store.numbers() == [3, 5, 6]


def test_prune_leaves_what_was_not_published_here(tmp_path: Path) -> None:
    for name in ("1", "2024"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_text("of another program")
    store = store_of(tmp_path, 3, 2025, 2026, 2027)
    assert store.prune(keep=1) == [2025]
    assert everything(tmp_path / "1") == everything(tmp_path / "2024") == ["saved_model.pb"]


def test_a_number_that_another_file_has_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "2").write_text("a file")
    (tmp_path / "3").symlink_to("nowhere")
    assert store_of(tmp_path, 3).numbers() == [1, 4, 5]


def test_of_a_version_that_is_a_link_the_link_goes(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", 3)
    (tmp_path / "store" / "1").rename(tmp_path / "elsewhere")
    (tmp_path / "store" / "1").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "store" / ".deleting-0").symlink_to(tmp_path / "elsewhere")
    assert store.prune(keep=2) == [1]
    assert store.numbers() == [2, 3]
    assert not list((tmp_path / "store").glob(".deleting-*"))
    assert everything(tmp_path / "elsewhere") == TREE


def test_versions_are_named_by_integers_of_numpy_too(tmp_path: Path) -> None:
    store = store_of(tmp_path, 2)
    assert (store.promote(np.int64(1)).number, store.resolve(np.int64(1)).name) == (1, "1")
    assert labels(store) == {"stable": 1}


def test_prune_leaves_a_version_that_is_being_read(tmp_path: Path) -> None:
    store = store_of(tmp_path, 3)
    with store.reading(1) as path:
        assert store.prune(keep=1) == [2]
        assert everything(path) == TREE
    assert store.prune(keep=1) == [1]


def test_a_reader_whose_version_goes_before_it_holds_it_gets_the_one_that_the_label_names_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(tmp_path, 3, 1)
    resolve = Versions.resolve
    asked: list[str] = []

    def resolve_late(self: Versions, version: str | int) -> Path:
        path = resolve(self, version)
        if version != "stable":
            return path
        asked.append(path.name)
        if len(asked) == 1:
            for number in (2, 3):
                other.promote(number)
            assert other.prune(keep=1) == [1]
        return path

    other = Versions(tmp_path)
    monkeypatch.setattr(Versions, "resolve", resolve_late)
    with store.reading("stable") as path:
        assert (path.name, asked) == ("3", ["1", "3"])


def publish_slowly(folder: Path, begun, go_on) -> None:
    def write_slowly(path: Path) -> None:
        write(path)
        begun.set()
        go_on.wait(60)

    Versions(folder).publish(write_slowly, {"who": "slow"})


@pytest.mark.slow
def test_two_publishers_at_once_both_publish_and_labels_move_meanwhile(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    begun, go_on = context.Event(), context.Event()
    slow = context.Process(target=publish_slowly, args=(tmp_path, begun, go_on))
    slow.start()
    assert begun.wait(120)
    store = Versions(tmp_path)
    store.publish(write, {"who": "quick"})
    store.promote(1)
    assert store.prune(keep=1) == []
    assert len([name for name in os.listdir(tmp_path) if name.startswith(".writing-")]) == 1
    go_on.set()
    slow.join(60)
    assert slow.exitcode == 0
    assert [(version.number, version.summary["who"]) for version in store.list()] == [(1, "quick"), (2, "slow")]
    assert sorted(os.listdir(tmp_path)) == ["1", "2", "model.config"]


@pytest.mark.parametrize("act", ["publish", "prune"])
def test_what_dead_writers_left_goes_with_the_next_and_what_lives_stays(act: str, tmp_path: Path) -> None:
    store = store_of(tmp_path, 1, 1)
    for name in (".writing-0a1b", ".deleting-7"):
        (tmp_path / name / "variables").mkdir(parents=True)
    (tmp_path / ".writing-model.config").write_text("model_config_li")
    (tmp_path / ".writing-alive").mkdir()
    with locked(tmp_path / ".writing-alive", shared=True):
        store.publish(write, {}) if act == "publish" else store.prune()
        assert [name for name in sorted(os.listdir(tmp_path)) if name.startswith(".")] == [".writing-alive"]


def test_one_writer_at_a_time_moves_labels(tmp_path: Path) -> None:
    store_of(tmp_path, 1, 1)
    with pytest.raises(BlockingIOError), locked(tmp_path), locked(tmp_path, wait=False):
        pass


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_full_disk_leaves_the_store_as_it_was_and_can_be_pruned(small_disk: Path) -> None:
    store = store_of(small_disk / "movies", 3, 1, 2)
    before = contents(store.folder)
    with pytest.raises(OSError, match="No space left"):
        store.publish(lambda path: (path / "saved_model.pb").write_bytes(bytes(300_000)), {})
    assert contents(store.folder) == before
    with (small_disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    for act in (lambda: store.promote(3), lambda: store.roll_back(), lambda: store.publish(write, {})):
        with pytest.raises(OSError, match="No space left"):
            act()
        assert contents(store.folder) == before
    assert labels(store) == {"stable": 2}
    (small_disk / "filler").unlink()
    store.promote(3)
    assert store.prune(keep=1) == [1]


@pytest.mark.slow
@pytest.mark.parametrize("act, limit", [("publish", 5_000), ("publish", 10), ("promote", 100)])
def test_a_file_that_cannot_be_written_whole_leaves_the_store_as_it_was(act: str, limit: int, tmp_path: Path) -> None:
    store_of(tmp_path / "movies", 2, 1)
    before = contents(tmp_path)
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "movies"), act, str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "File too large\n"), done.stderr
    assert contents(tmp_path) == before
    assert sorted(os.listdir(tmp_path / "movies")) == ["1", "2", "model.config"]


def test_a_model_config_is_what_tensorflow_serving_reads(tmp_path: Path) -> None:
    reason = "needs tensorflow-serving-api: pip install --no-deps tensorflow-serving-api"
    messages = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2", reason=reason)
    store = store_of(tmp_path / 'the "movies"', 5, 1, 2, 4)
    store.promote(3, "canary")
    text = (store.folder / "model.config").read_text()
    (config,) = text_format.Parse(text, messages.ModelServerConfig()).model_config_list.config
    assert (config.name, config.base_path) == ('the "movies"', '/models/the "movies"')
    assert config.model_platform == "tensorflow"
    assert list(config.model_version_policy.specific.versions) == [2, 3, 4, 5]
    assert dict(config.version_labels) == {"stable": 4, "canary": 3}


def test_a_model_config_names_what_labels_name_named_before_and_the_newest(tmp_path: Path) -> None:
    store = store_of(tmp_path / "movies", 4, 1, 2, 3)
    assert (store.folder / "model.config").read_text() == (
        "# Written by tfdual; name and base_path may be changed. What each label names, and named before:\n"
        "# stable: 3 2 1\n"
        'model_config_list {\n  config {\n    name: "movies"\n    base_path: "/models/movies"\n'
        '    model_platform: "tensorflow"\n    model_version_policy {\n      specific {\n'
        "        versions: 2\n        versions: 3\n        versions: 4\n      }\n    }\n"
        '    version_labels {\n      key: "stable"\n      value: 3\n    }\n  }\n}\n'
    )
    store.publish(write, {})
    text = (store.folder / "model.config").read_text()
    assert [line.split()[1] for line in text.splitlines() if "versions:" in line] == ["2", "3", "5"]


def test_a_model_config_that_was_changed_by_hand_keeps_its_name_path_and_labels(tmp_path: Path) -> None:
    store = store_of(tmp_path, 3)
    (tmp_path / "model.config").write_text(
        "model_config_list: { config: { name: 'films', base_path: '/srv/films' # ours\n"
        "model_platform: 'tensorflow' model_version_policy: { all {} }\n"
        "version_labels: { key: 'stable', value: 1 } version_labels < key: 'old' value: 2 > } }"
    )
    assert store.resolve("old") == tmp_path / "2"
    store.promote(3)
    text = (tmp_path / "model.config").read_text()
    assert ('name: "films"' in text, 'base_path: "/srv/films"' in text, "all" in text) == (True, True, False)
    assert labels(store) == {"old": 2, "stable": 3}
    assert store.roll_back().number == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("model_config_list {", "is not one that tfdual writes"),
        ("\xff\xfe", "is not one that tfdual writes"),
        ("logging_config {}", "is not one that tfdual writes: .*logging_config.*Move it away"),
        ("model_config_list { config {} config {} }", "holds one model, .* Received 2"),
    ],
)
def test_another_model_config_is_refused_before_anything_is_written(text: str, message: str, tmp_path: Path) -> None:
    store = store_of(tmp_path, 1)
    (tmp_path / "model.config").write_text(text, encoding="latin-1")
    before = contents(tmp_path)
    for act in (store.list, lambda: store.promote(1), lambda: store.publish(pytest.fail, {})):
        with pytest.raises(ValueError, match=message):
            act()
    assert contents(tmp_path) == before
