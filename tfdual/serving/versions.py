"""A store of versions: published whole, named by labels, and removed under nobody's feet."""

import builtins
import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from numbers import Integral
from pathlib import Path
from typing import Any

from tfdual.serving.folder_lock import held_for_reading, locked
from tfdual.serving.hidden_folders import remove_leftovers, remove_version, version_aside
from tfdual.serving.manifest import MANIFEST, faults, flush_folder, write_manifest
from tfdual.serving.model_config import MODEL_CONFIG, Labels, changed_labels, read_labels
from tfdual.serving.version import Version, read_version, write_description

LABELS = ("stable", "canary")


class Versions:
    """The versions `1/`, `2/`, ... of one model in a folder, and the labels in its `model.config`.

    Any number of processes may publish, move labels, prune and read at once. A process that is killed at any moment
    leaves whole versions and whole labels; the hidden folder that it wrote into goes with the next `publish` or
    `prune`. The folder is on a local file system.

    Args:
        folder: path. `publish` makes it where it is missing.

    Example:
        >>> import tempfile
        >>> store = Versions(tempfile.mkdtemp())
        >>> for words in ("first", "second"):
        ...     version = store.publish(lambda path: (path / "saved_model.pb").write_text(words), {})
        ...     _ = store.promote(version.number)
        >>> [(version.number, version.labels, version.state) for version in store.list()]
        [(1, (), 'whole'), (2, ('stable',), 'whole')]
        >>> store.roll_back().number
        1
        >>> with store.reading("stable") as path:
        ...     (path / "saved_model.pb").read_text()
        'first'
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def publish(self, write: Callable[[Path], object], description: dict[str, Any]) -> Version:
        """Write the next version: aside first, flushed to the disk, then renamed.

        Publishers may overlap: each writes a folder of its own, and numbers go by who is done first.

        Args:
            write: takes the folder to write into.
            description: plain JSON types, kept in `assets.extra/tfdual.json`; read after `write`, which may add to it.

        Raises:
            ValueError: `model.config` is not one that tfdual writes; nothing was written.
            OSError: the folder can't be written, or the disk is full. Nothing is left behind.
        """
        read_labels(self.folder)
        with version_aside(self.folder) as aside:
            write(aside)
            write_description(aside, description)
            write_manifest(aside)
            with locked(self.folder):
                path = self._next_path()
                labels = self._labels()
                announced = (self.folder / MODEL_CONFIG).exists()
                with changed_labels(self.folder, labels, int(path.name)) if announced else contextlib.nullcontext():
                    aside.rename(path)
                flush_folder(self.folder)
                return read_version(path, labels)

    def promote(self, number: int, label: str = "stable") -> Version:
        """Let a label name a version, once each of its files was read and is what was published.

        Raises:
            ValueError: there is no such version or label, or the version is damaged. The label stays where it was.
            OSError: `model.config` can't be written. The label stays where it was.
        """
        if label not in LABELS:
            raise ValueError(f"A label is one of {', '.join(LABELS)}. Received {label!r}.")
        with self._alone():
            labels = self._labels()
            numbers = labels.get(label, ())
            return self._name(label, numbers if numbers[:1] == (number,) else (number, *numbers), labels)

    def roll_back(self, label: str = "stable") -> Version:
        """Let a label name what it named before; once more, what it named before that.

        Raises:
            ValueError: it named nothing before that is still there, or that version is damaged.
            OSError: `model.config` can't be written.
        """
        with self._alone():
            labels = self._labels()
            if len(labels.get(label, ())) < 2:
                raise ValueError(
                    f"The label {label!r} of {self.folder} named no version before that is still there. "
                    f"Promote one of {self._known()}."
                )
            return self._name(label, labels[label][1:], labels)

    def prune(self, keep: int = 2) -> builtins.list[int]:
        """Remove old versions, each renamed to a hidden name first.

        Kept are the newest, whole ones, what each label names and named before, the one below `stable` where that named
        nothing before, any that a process is loading at the moment, and what was not published here.

        Args:
            keep: int. How many of the newest to keep. Defaults to 2.

        Returns:
            The numbers that were removed.
        """
        if keep < 1:
            raise ValueError(f"prune keeps at least one version. Received keep={keep}.")
        with self._alone():
            remove_leftovers(self.folder)
            labels, numbers = self._labels(), self.numbers()
            whole = [number for number in numbers if not faults(self.folder / str(number), checksums=False)]
            named = {number for history in labels.values() for number in history[:2]}
            kept = {*numbers[-1:], *whole[-keep:], *named, *self._below_stable(labels)}
            old = [self.folder / str(number) for number in numbers if number not in kept]
            return [int(path.name) for path in old if (path / MANIFEST).exists() and remove_version(path)]

    def verify(self, number: int) -> builtins.list[str]:
        """Read each file of a version; what is wrong with it, a line a file, or nothing.

        Raises:
            ValueError: there is no such version.
        """
        with self.reading(number) as path:
            return faults(path)

    def resolve(self, version: str | int) -> Path:
        """The folder of a version.

        It may be pruned afterwards, once labels have moved on: load from it inside `reading`.

        Args:
            version: `"stable"`, `"canary"`, `"latest"` or a number.

        Raises:
            FileNotFoundError: there is no store.
            ValueError: there is no such version.
        """
        before = None
        while True:
            number = self._number(version)
            if (self.folder / str(number)).is_dir():
                return self.folder / str(number)
            if number in (before, version):
                raise ValueError(f"{self.folder} holds no version {number}. It holds {self._known()}.")
            before = number

    @contextlib.contextmanager
    def reading(self, version: str | int) -> Iterator[Path]:
        """The folder of a version, which `prune` leaves alone while the block runs.

        Args:
            version: as `resolve` takes it.

        Raises:
            FileNotFoundError: there is no store.
            ValueError: there is no such version.
        """
        with held_for_reading(lambda: self.resolve(version)) as path:
            yield path

    def numbers(self) -> builtins.list[int]:
        """The numbers of all versions, ascending.

        Raises:
            FileNotFoundError: there is no store.
        """
        if not self.folder.exists():
            raise FileNotFoundError(
                f"There is no model directory {self.folder}. Make one with `Retriever.export` or `tfdual demo`."
            )
        names = [child.name for child in self.folder.iterdir() if child.name.isdecimal() and child.is_dir()]
        return sorted(int(name) for name in names if name == str(int(name)))

    def _next_path(self) -> Path:
        """Where the next version goes: above all others, and where no other file or link is."""
        later = (self.folder / str(number) for number in itertools.count(max([0, *self.numbers()]) + 1))
        return next(path for path in later if not os.path.lexists(path))

    def list(self) -> builtins.list[Version]:
        """All versions, ascending; their files are not read.

        Raises:
            FileNotFoundError: there is no store.
        """
        while True:
            labels = read_labels(self.folder)
            found = []
            for path in (self.folder / str(number) for number in self.numbers()):
                with contextlib.suppress(FileNotFoundError), locked(path, shared=True):
                    found.append(read_version(path, labels))
            if read_labels(self.folder) == labels:
                return found

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process publishes, moves labels or prunes while the block runs."""
        self.numbers()
        with locked(self.folder):
            yield

    def _number(self, version: str | int) -> int:
        if isinstance(version, Integral):
            return int(version)
        if version == "latest" and (numbers := self.numbers()):
            return numbers[-1]
        labels = read_labels(self.folder)
        if version not in labels:
            given = ", ".join(f"{label} {numbers[0]}" for label, numbers in labels.items()) or "none"
            raise ValueError(
                f"{self.folder} has no label {version!r}. Its labels: {given}; its versions: {self._known()}. "
                f"`tfdual versions promote` sets one."
            )
        return labels[version][0]

    def _known(self) -> str:
        return ", ".join(map(str, self.numbers())) or "none"

    def _labels(self) -> Labels:
        """The labels, with what they named before as far as it is still there."""

        def is_there(number: int) -> bool:
            return (self.folder / str(number)).is_dir()

        return {
            label: (now, *itertools.takewhile(is_there, before))
            for label, (now, *before) in read_labels(self.folder).items()
        }

    def _below_stable(self, labels: Labels) -> builtins.list[int]:
        """N-1, where `stable` named nothing before."""
        history = labels.get("stable", ())
        return [number for number in self.numbers() if number < history[0]][-1:] if len(history) == 1 else []

    def _name(self, label: str, numbers: tuple[int, ...], labels: Labels) -> Version:
        path = self.resolve(numbers[0])
        if wrong := faults(path):
            raise ValueError(f"The label {label!r} moves only to a whole version. Version {path} is not: {wrong[0]}.")
        labels = labels | {label: numbers}
        with changed_labels(self.folder, labels, self.numbers()[-1]):
            return read_version(path, labels)
