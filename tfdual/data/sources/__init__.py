"""One format a file: where rows come from."""
