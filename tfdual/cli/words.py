"""What messages advise in Python, in the words of the command line."""

import re

_SAID = {
    r"csv=CsvFormat\(separator='(.*?)'\)": r"--separator '\1'",
    r"csv=CsvFormat\(encoding='(.*?)'\)": r"--encoding \1",
    r"csv=CsvFormat\(escape='\\\\'\)": r"--escape '\\'",
    r"csv=CsvFormat\(quote=None\)": "--no-quotes",
    r"(?:--columns(?: user,item)?, or )?csv=CsvFormat\(column_names=\[\.\.\.\]\)": "--columns user,item",
    r"To leave such rows aside, pass read\(.*?\)\.": "All such rows: tfdual validate.",
    r"properties=\{'nullable': True\}": 'the property "nullable" in the schema',
    r"Use `rows\.unique\(by=\.\.\.\)`": "Keep one row of each",
    r"`to_retriever\(\.\.\., filters=\[\.\.\.\]\)`": "--filters",
    r"Leave min_recall out": "Leave --min-recall out",
    r"\bmin_recall(?= is\b|=)": "--min-recall",
    r"\bmax_latency_ms(?= is\b|=)": "--max-latency-ms",
    r"\btarget_recall(?= is\b|=)": "--target-recall",
}


def in_options(message: str) -> str:
    """The message, with the options of commands where it names arguments of functions."""
    for pattern, words in _SAID.items():
        message = re.sub(pattern, words, message)
    return message
