"""Training speed of `TwoTowerModel.fit` beside plain Keras 3, TensorFlow Recommenders and a hand-written loop.

Each variant has a process of its own. After a warm-up that is not counted, they take turns, one round each.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import step_limit
import synthetic
from harness import HERE, Variant, measure, write_report
from rich import box
from rich.console import Console
from rich.table import Table

BASELINE = "Keras, Adam"
MACHINE = "the machine"
SCRIPTS = {
    "tfdual, Parquet": "tfdual_train_step.py",
    "tfdual, in memory": "tfdual_train_step.py",
    BASELINE: "keras_train_step.py",
    "Keras, Adagrad": "keras_train_step.py",
    "TFRS, Adam": "tfrs_train_step.py",
    "TFRS, Adagrad": "tfrs_train_step.py",
    "by hand": "tensorflow_train_step.py",
    "by hand, distinct items": "tensorflow_train_step.py",
}
TFRS_PACKAGES = ("tensorflow==2.20.*", "tf-keras==2.20.*", "tensorflow-recommenders", "pyarrow")


def tfrs_python(folder: Path, console: Console) -> str | None:
    """The interpreter of an environment with TensorFlow Recommenders, made in `folder` where it is not there."""
    environment = folder / "tfrs"
    python = environment / "bin" / "python"
    if python.exists() and _has_tfrs(python):
        return str(python)
    with console.status(f"Installing TensorFlow Recommenders in {environment} ..."):
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True, capture_output=True)
            install = [python, "-m", "pip", "install", "-qq", *TFRS_PACKAGES]
            subprocess.run(install, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1]
            console.print(f"TensorFlow Recommenders is left out; it can't be installed: {reason}")
            return None
    return str(python)


def _has_tfrs(python: Path) -> bool:
    command = [
        python,
        "-c",
        "import importlib.metadata as m; m.version('tensorflow-recommenders'), m.version('tf-keras')",
    ]
    return subprocess.run(command, capture_output=True).returncode == 0


def summary(variants: list[Variant], examples: int) -> dict[str, dict]:
    """Examples a second of each variant; ratios are taken round by round."""
    speeds = {variant.name: [examples / report["seconds"] for report in variant.rounds] for variant in variants}
    results = {}
    for variant in variants:
        speed = speeds[variant.name]
        ratios = [own / base for own, base in zip(speed, speeds[BASELINE], strict=True)]
        results[variant.name] = {
            "examples_per_second": {"median": round(median(speed)), "min": round(min(speed)), "max": round(max(speed))},
            "ratio": {key: round(f(ratios), 3) for key, f in (("median", median), ("min", min), ("max", max))},
            "loss": [round(report["loss"], 4) for report in (variant.warm_up, *variant.rounds)],
            "peak_mb": variant.rounds[-1]["peak_mb"],
            "versions": variant.versions,
        }
    return results


def limit_of_step(path: Path, batch: int, variants: list[Variant], results: dict[str, dict]) -> dict[str, float]:
    """Work of a step, what the machine reaches, and the share of that limit that each variant of tfdual reaches."""
    machine = next(variant for variant in variants if variant.name == MACHINE).rounds
    reached = {
        name: median(report[name] for report in machine) for name in ("multiply_adds_per_second", "bytes_per_second")
    }
    work = step_limit.work(path, batch)
    least = step_limit.limit(work, reached)
    shares = {
        name: least * result["examples_per_second"]["median"] / batch
        for name, result in results.items()
        if name.startswith("tfdual")
    }
    return work | reached | {"least_ms_per_step": 1000 * least, "share_of_limit": shares}


def table(results: dict[str, dict]) -> Table:
    """The results for people."""
    shown = Table(title=f"Examples a second, and times {BASELINE}", title_justify="left", box=box.SIMPLE)
    shown.add_column("variant", no_wrap=True)
    for heading in ("median", "min", "max", "times", "MB", "loss"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, result in results.items():
        speeds = [f"{result['examples_per_second'][key]:,}" for key in ("median", "min", "max")]
        ratio, loss = f"{result['ratio']['median']:.2f}", f"{result['loss'][-1]:.2f}"
        shown.add_row(name, *speeds, ratio, f"{result['peak_mb']:,}", loss)
    return shown


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=4_096)
    parser.add_argument("--steps", type=int, default=60, help="steps of the warm-up and of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS), metavar="VARIANT")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "train_step.json")
    chosen = parser.parse_args()
    if chosen.rows < chosen.batch or min(chosen.batch, chosen.steps, chosen.rounds) < 1:
        parser.error("rows must be at least one batch; batch, steps and rounds at least 1")
    return chosen


def main() -> None:
    """Measure, print the table, write the JSON."""
    chosen, console = arguments(), Console()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = {name: sys.executable for name in SCRIPTS if name in chosen.only or name == BASELINE}
        if any(name.startswith("TFRS") for name in names):
            python = tfrs_python(Path(os.environ.get("TFDUAL_BENCH_ENVS", folder)), console)
            names = {name: python if name.startswith("TFRS") else own for name, own in names.items()}
            names = {name: own for name, own in names.items() if own}
        path = folder / "rows.parquet"
        synthetic.write(path, chosen.rows)
        settings = {"path": str(path), "batch": chosen.batch, "steps": chosen.steps, "rounds": chosen.rounds}
        commands = {name: (own, SCRIPTS[name]) for name, own in names.items()}
        variants = measure(commands | {MACHINE: (sys.executable, "machine_worker.py")}, settings, folder, console)
        results = summary([one for one in variants if one.name != MACHINE], chosen.steps * chosen.batch)
        limit = limit_of_step(path, chosen.batch, variants, results)
    console.print(table(results))
    adds, moved = (limit[f"{name}_per_second"] / 1e9 for name in ("multiply_adds", "bytes"))
    console.print(
        f"A step: {limit['multiply_adds'] / 1e9:.2f} billion multiply-adds, {limit['bytes'] / 1e6:.0f} MB. "
        f"The machine: {adds:.0f} billion and {moved:.1f} GB a second. "
        f"At least {limit['least_ms_per_step']:.1f} ms."
    )
    for name, share in limit["share_of_limit"].items():
        console.print(f"{name}: {share:.0%} of that limit")
    settings["rows"] = chosen.rows
    write_report(chosen.out, "train_step", load_before, settings, baseline=BASELINE, limit=limit, results=results)
    console.print(f"Written: {chosen.out}", soft_wrap=True)


if __name__ == "__main__":
    main()
