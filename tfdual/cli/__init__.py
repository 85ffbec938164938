"""The command line: `tfdual demo`, `tfdual query`, `tfdual inspect`."""

from tfdual.cli.main import main

__all__ = ["main"]
