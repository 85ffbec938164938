"""`tfdual inspect`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tfdual.schema import Schema
from tfdual.serving import Retriever
from tfdual.serving.artefact import find_version


def inspect(
    model_dir: Annotated[Path, typer.Argument(help="What `Retriever.export` wrote: a version, or a folder of them.")],
) -> None:
    """Say what a saved model takes, gives and holds."""
    path = find_version(model_dir)
    retriever = Retriever.load(path)
    description = retriever.description
    console = Console(soft_wrap=True, emoji=False)
    console.print(f"[bold]{escape(str(path))}[/]")
    for name, function in sorted(retriever.saved_model.signatures.items()):
        console.print(f"\n[bold]signature {name}[/]")
        console.print(_tensors("in", function.structured_input_signature[1]))
        console.print(_tensors("out", function.structured_outputs))
    for side in ("query_schema", "item_schema"):
        console.print(
            f"\n[bold]{side.replace('_', ' ')}[/]\n{escape(repr(Schema.from_dict(description[side])))}", highlight=False
        )
    console.print("\n[bold]index[/]", _pairs(description["index"]))
    sizes = {str(file.relative_to(path)): file.stat().st_size for file in sorted(path.rglob("*")) if file.is_file()}
    console.print("\n[bold]size[/]", f"{sum(sizes.values()) / 2**20:.1f} MiB, {description['parameters']:,} parameters")
    for name, size in sizes.items():
        console.print(f"  {size / 2**20:8.1f} MiB  {name}", highlight=False)
    _print_report(console, description["report"])


def _tensors(side: str, tensors: dict[str, Any]) -> Table:
    table = Table(side, "type", "shape")
    for name, spec in tensors.items():
        shape = ", ".join("?" if size is None else str(size) for size in spec.shape.as_list())
        table.add_row(escape(name), spec.dtype.name, f"({shape})")
    return table


def _print_report(console: Console, report: dict[str, Any]) -> None:
    if not report:
        return
    console.print("\n[bold]report[/]")
    metrics = report.get("metrics", report)
    methods = {name: values for name, values in metrics.items() if isinstance(values, dict)}
    figures = {"": {name: value for name, value in metrics.items() if isinstance(value, int | float)}}
    for method, values in (figures | methods).items():
        if shown := {name: value for name, value in values.items() if name.endswith("@10")} or values:
            console.print(f"  {method}{method and ': '}{_pairs(shown)}", highlight=False, markup=False)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )
