"""A program that kills publishers, while another process reads; without TensorFlow, so that a process starts at once.

`random`: writers that publish, promote, roll back and prune without end are killed at random moments.
`each`: a writer is killed before its first step that touches a file, then before its second, and so on.
Either way, a reader resolves, verifies and reads `stable` all the time, and a check of the store follows each kill.
"""

import itertools
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "tfdual"
if __name__ == "__main__":
    for name, path in {"tfdual": PACKAGE, "tfdual.serving": PACKAGE / "serving"}.items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(path)]

from tfdual.serving.versions import Versions  # noqa: E402

FILES = [f"variables/shard-{i}" for i in range(2)] + ["saved_model.pb"]


def write(folder: Path) -> None:
    """Files that hold the same words, so that files of two versions can't be taken for one."""
    words = os.urandom(20_000)
    (folder / "variables").mkdir()
    for name in FILES:
        (folder / name).write_bytes(words)


def work(store: Versions) -> None:
    number = store.publish(write, {}).number
    try:
        store.promote(number, "canary")
        store.promote(number)
    except ValueError as error:
        if "holds no version" not in str(error):  # that is a newer one's doing: its writer pruned this one
            raise
    if number % 3 == 0:
        store.roll_back()
    store.prune(keep=1)


def work_for_ever(store: Versions) -> None:
    while True:
        work(store)


def read(store: Versions) -> None:
    """What a reader must find at any moment."""
    with store.reading("stable") as path:
        assert store.verify(int(path.name)) == []
        assert len({(path / name).read_bytes() for name in FILES}) == 1
    assert store.resolve("stable").name.isdecimal()
    listed = store.list()
    assert [version.state for version in listed] == ["whole"] * len(listed)
    assert "stable" in {label for version in listed for label in version.labels}


def read_until(stop: Path, store: Versions) -> None:
    reads = 0
    while not stop.exists():
        read(store)
        reads += 1
    stop.write_text(str(reads))


def check(store: Versions) -> None:
    """What must hold after a kill: all is whole, before and after the next writer, which leaves nothing behind."""
    read(store)
    assert [store.verify(number) for number in store.numbers()] == [[]] * len(store.numbers())
    for _ in range(3):
        before = store.resolve("latest")
        assert store.publish(write, {}).number == int(before.name) + 1
        if not (left := [name for name in os.listdir(store.folder) if name.startswith(".")]):
            break  # a folder that is on its way out stays for the next writer where the reader has just opened it
    assert left == []
    store.prune(keep=1)


def started(target: Callable[..., None], *arguments: object) -> int:
    if child := os.fork():
        return child
    code = 1
    try:
        target(*arguments)
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


def kill_at_random(store: Versions, kills: int) -> int:
    chance = random.Random(0)
    for _ in range(kills):
        writers = [started(work_for_ever, store) for _ in range(2)]
        time.sleep(chance.uniform(0, 0.06))
        for writer in writers:
            os.kill(writer, signal.SIGKILL)
        assert all(os.WIFSIGNALED(os.waitpid(writer, 0)[1]) for writer in writers)
        check(store)
    return kills


def kill_at_each_step(store: Versions) -> int:
    """Kill before the first event of the audit, the second, ...: every file that is opened, made, renamed, removed."""

    def work_to(last: int) -> None:
        steps = itertools.count()

        def count(event: str, _: tuple) -> None:
            if event.split(".")[0] in ("open", "os", "fcntl", "shutil") and next(steps) == last:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work(store)

    for last in itertools.count():
        killed = os.WIFSIGNALED(os.waitpid(started(work_to, last), 0)[1])
        check(store)
        if not killed:
            return last
    raise AssertionError


def main() -> None:
    how, folder = sys.argv[1], Path(sys.argv[2])
    store, stop = Versions(folder / "movies"), folder / "stop"
    for _ in range(2):
        store.promote(store.publish(write, {}).number)
    reader = started(read_until, stop, store)
    try:
        kills = kill_at_random(store, int(sys.argv[3])) if how == "random" else kill_at_each_step(store)
    finally:
        stop.touch()
    code = os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1])
    assert "tensorflow" not in sys.modules
    print(json.dumps({"kills": kills, "reader": code, "reads": int(stop.read_text() or 0)}))
    shutil.rmtree(store.folder)


if __name__ == "__main__":
    main()
