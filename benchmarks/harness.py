"""Variants of a benchmark as processes that take turns, so that a change in the machine's load meets all of them."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

HERE = Path(__file__).resolve().parent


class Variant:
    """A worker process, and what it reported."""

    def __init__(self, name: str, python: str, script: str, settings: dict, log: Path) -> None:
        self.name, self.log = name, log
        self.rounds: list[dict] = []
        command = [python, str(HERE / script), json.dumps(settings | {"variant": name})]
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        self.versions = self.read()["versions"]
        self.warm_up = self.read()

    def read(self) -> dict:
        """The next report.

        Raises:
            RuntimeError: the process ended without one.
        """
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"'{self.name}' ended without a report. Its last words:\n{self.log.read_text()[-2000:]}")
        return json.loads(line)

    def round(self) -> None:
        """Let it train one round."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.rounds.append(self.read())

    def stop(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def measure(commands: dict[str, tuple[str, str]], settings: dict, folder: Path, console: Console) -> list[Variant]:
    """Start every variant, then let them take turns.

    Args:
        commands: name -> (interpreter, script in this folder).
        settings: what every worker is told; `rounds` is the number of rounds after the warm-up.
        folder: for the logs.
        console: shows the progress.
    """
    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    variants: list[Variant] = []
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=len(commands) * (settings["rounds"] + 1))
            for number, (name, command) in enumerate(commands.items()):
                progress.update(task, description=f"warm-up: {name}")
                variants.append(Variant(name, *command, settings, folder / f"{number}.log"))
                progress.advance(task)
            for place in range(settings["rounds"]):
                for variant in variants:
                    progress.update(task, description=f"round {place + 1}: {variant.name}")
                    variant.round()
                    progress.advance(task)
    finally:
        for variant in variants:
            variant.stop()
    return variants


def write_report(path: Path, name: str, load_before: float, settings: dict, **results: object) -> None:
    """Write what was measured, with what it was measured on, as JSON."""
    report = {
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": round(load_before, 2),
        "python": platform.python_version(),
        "settings": {key: value for key, value in settings.items() if "path" not in key},
        **results,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
