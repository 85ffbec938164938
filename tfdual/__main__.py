"""`python -m tfdual`."""

from tfdual.cli import main

main()
