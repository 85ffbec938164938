"""Blocks in braces, which Vespa's schemas are made of."""

import textwrap


def block(head: str, *body: str) -> str:
    """`head { body }`, a line each, the body indented.

    Args:
        head: str.
        body: lines, or other blocks.

    Example:
        >>> print(block("first-phase", "expression: 1"))
        first-phase {
            expression: 1
        }
    """
    return f"{head} {{\n{textwrap.indent(chr(10).join(body), '    ')}\n}}"
