"""A variant's side of the pipe: it works a round when the benchmark says so, and reports how long that took."""

import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path


class Worker:
    """Settings from the first argument, a line of standard input for each round, a JSON line for each report.

    The first round is the warm-up, and starts unasked. What libraries print goes to standard error.
    """

    def __init__(self) -> None:
        settings = json.loads(sys.argv[1])
        self.settings = settings
        self.variant: str = settings["variant"]
        self.path = Path(settings["path"])
        self.batch: int = settings["batch"]
        self.rounds: int = settings["rounds"] + 1
        self._reports = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def start(self, place: int) -> None:
        """Wait for the signal of round `place`."""
        if place and not sys.stdin.readline():
            sys.exit()
        self._started = time.perf_counter()

    def finish(self, **values: float) -> None:
        """Report the round, with what it gave, e.g. the mean `loss` of its steps."""
        report = {name: float(value) for name, value in values.items()} | {
            "seconds": time.perf_counter() - self._started,
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
        print(json.dumps(report), file=self._reports, flush=True)

    def versions(self, *packages: str) -> None:
        """Report what this process runs on; called once, before the first round."""
        report = {"versions": {package: version(package) for package in packages}}
        print(json.dumps(report), file=self._reports, flush=True)

    def callback(self, base: type, scale: float = 1) -> object:
        """A Keras callback that makes each epoch of `fit` a round; `base` is the Callback of that Keras.

        The reported loss is Keras's times `scale`.
        """

        class Rounds(base):
            def on_epoch_begin(this, epoch: int, logs: dict | None = None) -> None:
                self.start(epoch)

            def on_epoch_end(this, epoch: int, logs: dict | None = None) -> None:
                self.finish(loss=logs["loss"] * scale)

        return Rounds()
