"""Training that goes on after a crash."""

import os
import re
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfdual._typing import Tensor

NAME = re.compile(r"epoch-(\d+)-batch-(\d+)-of-(\d+)\.weights\.h5")
ASIDE = "writing.weights.h5"


@dataclass(frozen=True, order=True)
class Place:
    """Where in training a backup was made.

    Args:
        epoch: int. Epochs that were ended.
        batch: int. Batches of the next that were used.
        steps: int. Batches an epoch.
    """

    epoch: int
    batch: int
    steps: int

    @property
    def file(self) -> str:
        """The name of the backup."""
        return f"epoch-{self.epoch}-batch-{self.batch}-of-{self.steps}.weights.h5"

    @property
    def batches(self) -> int:
        """Batches, over all epochs, that were used."""
        return self.epoch * self.steps + self.batch


class BackupAndRestore(keras.callbacks.Callback):
    """Keep what training needs to go on after a crash; the same script, started again, goes on in the same epoch.

    Takes the place of Keras's callback of this name, whose epochs go wrong where a run is killed twice in one epoch or
    at an epoch's end, and whose file is lost where a run is killed while it is written. Here one file holds
    everything: weights, the optimiser's slots, memories and draws of negatives, states of random layers. Its name says
    the place in training, and it is written aside and renamed.

    Give the rows `start=backup.batches_done`, and place it behind all callbacks that change the model or its rate.

    Args:
        backup_dir: str or path. A folder for this run alone; made where it is missing.
        save_freq: int, batches from one backup to the next, or `"epoch"`. Defaults to `"epoch"`.
        delete_checkpoint: bool. Remove the backup when `fit` has ended. Defaults to `True`.

    Raises:
        ValueError: `save_freq` is neither; in `fit`, the dataset doesn't tell how many batches it has, or the backup is
            of a run with other batches.

    Example:
        >>> import tempfile
        >>> backup = BackupAndRestore(tempfile.mkdtemp(), save_freq=100)
        >>> backup.batches_done  # nothing was trained yet
        0
    """

    def __init__(
        self, backup_dir: str | os.PathLike, save_freq: int | str = "epoch", delete_checkpoint: bool = True
    ) -> None:
        super().__init__()
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq >= 1):
            raise ValueError(f"save_freq is a number of batches, at least 1, or 'epoch'. Received {save_freq!r}.")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint
        self._epoch = 0
        self._saved = 0

    @property
    def batches_done(self) -> int:
        """Batches, over all epochs, that were used when the backup was made; 0 where there is none."""
        newest = max(self._places(), default=None)
        return 0 if newest is None else newest.batches

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Go on from the backup, if there is one."""
        if self._steps is None:
            raise ValueError(
                "A backup says how many batches were used, so `fit` must know how many an epoch has. Give "
                "steps_per_epoch=..., or dataset.apply(tf.data.experimental.assert_cardinality(batches))."
            )
        if not self.model.built:
            self.model.build(None)
        newest = max(self._places(), default=None)
        self._saved = 0 if newest is None else newest.batches
        if newest is not None:
            self._restore(newest)

    def _restore(self, place: Place) -> None:
        if place.steps != self._steps:
            raise ValueError(
                f"The backup in {self.backup_dir} is of a run with {place.steps} batches an epoch; this one has "
                f"{self._steps}. Go on with the rows and the batch size of then, or remove the folder."
            )
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self.model.load_weights(os.path.join(self.backup_dir, place.file))
        self.model._initial_epoch = place.epoch
        self._pass_over(place.batch // self.model.steps_per_execution)

    def _pass_over(self, calls: int) -> None:
        """Let the next calls of the training function do nothing: Keras counts them, and the epoch ends where it
        would have.
        """
        train, left = self.model.train_function, iter(range(calls))

        def rest(iterator: Any) -> dict[str, Tensor]:
            if next(left, None) is not None:
                return {}
            self.model.train_function = train
            return train(iterator)

        self.model.train_function = rest

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note the epoch; Keras has asked for the first one, and another `fit` is to begin with its own."""
        self._epoch = epoch
        self.model._initial_epoch = None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Make a backup if it is time; at the end of an epoch it waits for the callbacks of that."""
        if batch + 1 < self._steps and self.save_freq != "epoch":
            self._save_if_due(Place(self._epoch, batch + 1, self._steps))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Make a backup if it is time."""
        self._save_if_due(Place(epoch + 1, 0, self._steps))

    def on_train_end(self, logs: dict | None = None) -> None:
        """Remove the backup."""
        self.model._initial_epoch = None  # where no epoch was left
        if self.delete_checkpoint:
            self._remove(self._places())

    @property
    def _steps(self) -> Any:
        return self.params["steps"]

    def _save_if_due(self, place: Place) -> None:
        if self.save_freq != "epoch" and place.batches - self._saved < int(self.save_freq):
            return
        old = [found for found in self._places() if found != place]
        aside = os.path.join(self.backup_dir, ASIDE)
        tf.io.gfile.makedirs(self.backup_dir)
        self.model.save_weights(aside)
        if os.path.exists(aside):  # a local file is on the disk before it has its name
            with open(aside, "rb") as file:
                os.fsync(file.fileno())
        tf.io.gfile.rename(aside, os.path.join(self.backup_dir, place.file), overwrite=True)
        self._saved = place.batches
        self._remove(old)

    def _places(self) -> list[Place]:
        """The places of the backups that are there."""
        if not tf.io.gfile.isdir(self.backup_dir):
            return []
        found = map(NAME.fullmatch, tf.io.gfile.listdir(self.backup_dir))
        return [Place(*map(int, match.groups())) for match in found if match]

    def _remove(self, places: list[Place]) -> None:
        for place in places:
            tf.io.gfile.remove(os.path.join(self.backup_dir, place.file))
