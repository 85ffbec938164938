"""Progress of training on the terminal."""

import keras
from rich.progress import Progress


class TrainingProgress(keras.callbacks.Callback):
    """Move a bar by batches, and say the loss.

    Args:
        progress: rich Progress, started.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Add the bar."""
        self._task = self._progress.add_task("Training", total=self.params["epochs"] * self.params["steps"])

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Move the bar."""
        self._progress.advance(self._task)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Say the loss of the epoch."""
        loss = (logs or {}).get("loss", float("nan"))
        self._progress.update(self._task, description=f"Training, epoch {epoch + 1}, loss {loss:.3f}")
