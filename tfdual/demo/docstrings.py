"""A docstring as a search query and the text that remains."""

import inspect
import re
from dataclasses import dataclass

_ROLE = re.compile(r":[a-zA-Z][\w:+.-]*:`[~!]?(?P<text>[^`]*)`")
_ROLE_TARGET = re.compile(r"^(?P<text>.*\S)\s*<[^<>]*>$")
_LINK = re.compile(r"!?\[(?P<text>[^\[\]]+)\]\([^()\s]*\)")
_DIRECTIVE = re.compile(r"^\s*\.\. [\w:|-]+::[^\n]*$", re.MULTILINE)
_RULE = re.compile(r"^\s*([=\-~^*#])\1{2,}\s*$", re.MULTILINE)
_SIGNATURE = re.compile(r"^[\w.$]+ ?\(.*\)\s*(->.*|:)?(\n--)?$", re.DOTALL)
_NO_DESCRIPTION = re.compile(
    r"(:|@|deprecated\b|this (method|function|class) is deprecated|(for docs,? )?see\b)", re.IGNORECASE
)
_SECTION = re.compile(
    r"^(\s*[:@]\w[^\n]*|>>>.*|\s*[-*] .*|\.\. .*|"
    r"(args|arguments|params|parameters|attributes|returns?|raises|yields|examples?|usage|notes?)\s*:?\s*)$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bcf)(?<!\bvs)(?<!\bEq)[.!?](?=\s+[^a-z\s]|\s*$)")
_FEWEST_WORDS, _MOST_WORDS = 3, 40
_DESCRIPTION_CHARACTERS = 1500
_LEAST_SHARE_OF_LETTERS = 0.75


@dataclass(frozen=True)
class DocText:
    """A docstring taken apart; `num_words` counts the words after the first sentence."""

    summary: str
    description: str
    num_words: int


def split_docstring(docstring: str) -> DocText | None:
    """Take a docstring apart: its first sentence, and everything else.

    Markup is removed and whitespace collapsed. The first sentence never occurs in the description.

    Args:
        docstring: str. As it stands in the source.

    Returns:
        `None` where the first sentence is no usable query: under 3 or over 40 words, a bare signature, a pointer
        elsewhere ("See base class"), a deprecation, or mostly something else than English letters.
    """
    paragraphs = [part for part in re.split(r"\n\s*\n", inspect.cleandoc(docstring)) if part.strip()]
    while paragraphs and _SIGNATURE.match(paragraphs[0].strip()):
        del paragraphs[0]
    if not paragraphs:
        return None
    opening, after_opening = _split_opening(paragraphs[0])
    opening = clean_markup(opening)
    end = _SENTENCE_END.search(opening)
    sentence = opening[: end.end()] if end else opening
    summary = sentence.strip(" .:;,-")
    if _NO_DESCRIPTION.match(sentence) or not _is_usable(summary):
        return None
    rest = clean_markup("\n\n".join([after_opening, *paragraphs[1:]]))
    description = _without(f"{opening[len(sentence) :]} {rest}", summary)
    return DocText(summary, description[:_DESCRIPTION_CHARACTERS].rstrip(), len(description.split()))


def clean_markup(text: str) -> str:
    """Remove the markup of reStructuredText and Markdown, and collapse whitespace.

    Args:
        text: str. For instance ``"A :class:`~a.B` or ``c``."``, which becomes `"A a.B or c."`.
    """
    text = _RULE.sub(" ", _DIRECTIVE.sub(" ", text))
    text = _LINK.sub(r"\g<text>", _ROLE.sub(lambda match: _ROLE_TARGET.sub(r"\g<text>", match["text"]), text))
    text = re.sub(r"`+_{0,2}|\*\*", "", text)
    text = re.sub(r"(?<!\w)\*(\w[^*\n]*)\*(?!\w)", r"\1", text)
    return " ".join(text.replace("\\", "").split())


def _split_opening(paragraph: str) -> tuple[str, str]:
    lines = paragraph.splitlines()
    if len(lines) > 1 and re.match(r"^[\w.]+ ?\(.*\)\s*(->.*)?$", lines[0]):
        del lines[0]
    for position, line in enumerate(lines[1:], start=1):
        if _SECTION.match(line) or _RULE.match(line):
            return "\n".join(lines[:position]), "\n".join(lines[position:])
    return "\n".join(lines), ""


def _is_usable(summary: str) -> bool:
    words = summary.split()
    letters = sum(character.isascii() and character.isalpha() for character in summary)
    return (
        _FEWEST_WORDS <= len(words) <= _MOST_WORDS
        and letters >= _LEAST_SHARE_OF_LETTERS * sum(map(len, words))
        and not _SIGNATURE.match(summary)
    )


def _without(text: str, sentence: str) -> str:
    text = " ".join(text.split())
    while sentence.lower() in text.lower():
        text = " ".join(re.sub(re.escape(sentence) + r"[.:;,!?]?", " ", text, flags=re.IGNORECASE).split())
    return text
