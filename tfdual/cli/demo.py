"""`tfdual demo`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from tfdual.demo.movielens_recipe import movielens_recipe
from tfdual.demo.output import check_output
from tfdual.demo.python_api_recipe import python_api_recipe
from tfdual.demo.recipe import Recipe
from tfdual.demo.run import SHOWN, Demo

DATASETS = ("python-api", "movielens")


def demo(
    dataset: Annotated[str, typer.Option(help=f"One of: {', '.join(DATASETS)}.")] = DATASETS[0],
    data: Annotated[Path | None, typer.Option(help="Folder of ml-latest-small, for movielens.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to make. Default: tfdual-demo/DATASET.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the output of an earlier demo.")] = False,
    seed: Annotated[int, typer.Option(help="Makes the run repeatable.")] = 0,
) -> None:
    """Train a two-tower on real data, evaluate it, export it, and ask the export real questions."""
    console = Console(stderr=True)
    if dataset not in DATASETS:
        raise ValueError(f"There is no demo data set '{dataset}'. Choose one of {', '.join(DATASETS)}.")
    out = out or Path("tfdual-demo") / dataset
    check_output(out, overwrite)
    run = Demo(_recipe(dataset, data, console), out, console, seed)
    report = run.run()
    _print_metrics(report)
    for question, answers in run.ask().items():
        _print_answers(question, answers)
    Console().print(f"Everything is in {out}/. Ask on: tfdual query {out}/model ...", highlight=False, soft_wrap=True)


def _recipe(dataset: str, data: Path | None, console: Console) -> Recipe:
    if dataset == "movielens":
        if data is None:
            raise ValueError("The movielens demo needs --data DIR, an unzipped ml-latest-small of grouplens.org.")
        return movielens_recipe(data)
    if data is not None:
        raise ValueError("The python-api demo reads the installed Python and takes no --data. Leave it out.")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Reading Python source files")
        return python_api_recipe(progress=lambda done, total: progress.update(task, completed=done, total=total))


def _print_metrics(report: dict[str, Any]) -> None:
    rows = report["rows"]
    title = f"{report['dataset']}: {rows['queries']:,} held-out queries against {rows['items']:,} items"
    table = Table(title=title, title_justify="left")
    table.add_column("method", no_wrap=True)
    for name in SHOWN:
        table.add_column(name, justify="right", style="bold" if name == report["headline"] else None)
    for method, values in report["metrics"].items():
        table.add_row(method, *(f"{values[name]:.4f}" for name in SHOWN))
    Console().print(table)


def _print_answers(question: str, answers: list[dict[str, Any]]) -> None:
    table = Table(title=f"“{question}”", title_justify="left")
    for name in answers[0]:
        table.add_column(name, justify="right" if name == "score" else "left")
    for answer in answers:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in answer.values()))
    Console(markup=False, emoji=False).print(table)
