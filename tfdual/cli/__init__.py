"""The command line: `tfdual demo`, `query`, `inspect`, `evaluate`, `schema`, `validate` and `versions`."""

from tfdual.cli.main import main

__all__ = ["main"]
