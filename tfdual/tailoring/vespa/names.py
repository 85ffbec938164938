"""What Vespa takes as a name, and as text."""

import re
from collections.abc import Collection

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NO_FIELD = frozenset(
    {
        "attribute",
        "body",
        "case",
        "context",
        "documentid",
        "else",
        "header",
        "hit",
        "host",
        "if",
        "index",
        "index_url",
        "position",
        "reference",
        "relevancy",
        "sddocname",
        "select_input",
        "split_foreach",
        "summary",
        "switch",
        "tokenize",
    }
)
YQL_WORDS = frozenset({"and", "as", "contains", "false", "from", "in", "or", "sources", "timeout", "true", "where"})
NO_DOCUMENT = YQL_WORDS | {"document", "id", "not", "null"}
_ENDS_OF_PLANES = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_NO_TEXT = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufdd0-\ufddf{_ENDS_OF_PLANES}]")


def check_name(what: str, name: str, reserved: Collection[str] = ()) -> None:
    """Raise unless `name` is an identifier of Vespa's, and none that is reserved.

    Args:
        what: str. What is called so, for the message.
        name: str.
        reserved: lower-case names that are refused in any case of letters. Defaults to none.

    Raises:
        ValueError: it isn't.
    """
    if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
        raise ValueError(
            f"{what} needs a name of letters, digits and underscores that begins with no digit. Received {name!r}."
        )
    if name.lower() in reserved:
        raise ValueError(f"{what} can't be called {name!r}, which means something else in Vespa. Rename it.")


def checked_text(value: str | bytes, what: str) -> str:
    """A string that Vespa stores.

    Args:
        value: str, or UTF-8 bytes.
        what: str. What it is, for the message.

    Raises:
        ValueError: it is no UTF-8, or has a character that Vespa refuses: a control character, half a surrogate pair,
            or one of Unicode's non-characters.
    """
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"{what} is no UTF-8: {value[:80]!r}. Decode it before.") from error
    if found := _NO_TEXT.search(value):
        raise ValueError(
            f"{what} holds the character U+{ord(found[0]):04X}, which Vespa refuses: {value[:80]!r}. Replace it."
        )
    return value
