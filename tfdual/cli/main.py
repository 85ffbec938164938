"""The entry point, and how errors reach the terminal."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from tfdual.cli.demo import demo
from tfdual.cli.inspect import inspect
from tfdual.cli.query import query

EXPECTED = (OSError, ValueError, TypeError, KeyError, ImportError)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Dual-encoder retrieval on Keras 3: tagged features in, a trained two-tower out, served.",
)
app.command()(demo)
app.command()(query)
app.command()(inspect)


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line; a bad input is one line on stderr and exit code 2."""
    try:
        app()
    except EXPECTED as error:
        if "--debug" in sys.argv:
            raise
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"tfdual: {' '.join(str(message).split())}", markup=False
        )
        sys.exit(2)
