"""The command line: `tfdual demo`, `query`, `inspect`, `evaluate`, `schema` and `validate`."""

from tfdual.cli.main import main

__all__ = ["main"]
