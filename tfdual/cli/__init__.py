"""The command line; `tfdual --help` lists its commands."""

from tfdual.cli.main import main

__all__ = ["main"]
