"""The entry point, and how errors reach the terminal."""

import re
import sys
from typing import Annotated

import pyarrow as pa
import tensorflow as tf
import typer
from rich.console import Console

from tfdual.cli.chat import chat
from tfdual.cli.demo import demo
from tfdual.cli.embed import embed
from tfdual.cli.evaluate import evaluate
from tfdual.cli.export import export
from tfdual.cli.index import index
from tfdual.cli.inspect import inspect
from tfdual.cli.query import query
from tfdual.cli.schema import schema
from tfdual.cli.validate import validate
from tfdual.cli.versions import versions
from tfdual.cli.words import in_options

EXPECTED = (OSError, ValueError, TypeError, KeyError, ImportError, pa.ArrowException, tf.errors.OpError)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Dual-encoder retrieval on Keras 3: tagged features in, a trained two-tower out, served.",
)
app.command()(demo)
app.command()(query)
app.command()(chat)
app.command()(inspect)
app.command()(evaluate)
app.command()(schema)
app.command()(validate)
app.command()(embed)
app.command()(index)
app.command()(export)
app.add_typer(versions, name="versions")


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; goes anywhere.")] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line; a bad input is one line on stderr and exit code 2."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except EXPECTED as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"tfdual: {_one_line(error)}", markup=False)
        sys.exit(2)


def _one_line(error: Exception) -> str:
    """The message alone, as of commands; of an error inside a `tf.data` pipeline, the Python error that it carries."""
    message = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if isinstance(error, tf.errors.OpError) and (inner := re.search(r"(?:ValueError|TypeError): (.*)", message)):
        message = inner[1]
    return in_options(" ".join(message.split()))
