"""`tfdual chat`."""

import io
import math
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tfdual.schema import ColumnSchema, Kind, Schema
from tfdual.serving import Retriever

QUIT, RESET = ":quit", ":reset"
PROMPT = "> "
UNSEEN = ("Cc", "Cf")  # Unicode categories: control characters, and those of format such as direction
JOINERS = "\u200c\u200d"  # of that category, and part of the spelling

Top = Annotated[int, typer.Option("--top", min=1, help="How many answers to show, the best first.")]
History = Annotated[int, typer.Option("--history", min=1, help="How many of the last turns are read, yours included.")]
Answer = Annotated[str | None, typer.Option(help="Attribute that is the answer, where there are several of text.")]
Between = Annotated[str, typer.Option(help="What joins the turns, where the model takes one text and no list.")]


def chat(
    model_dir: Annotated[Path, typer.Argument(help="What `Retriever.export` wrote: a version, or a folder of them.")],
    top: Top = 1,
    history: History = 20,
    answer: Answer = None,
    separator: Between = " [SEP] ",
) -> None:
    """Talk to a saved model, which answers each line with the best of its items; :reset begins anew, :quit ends."""
    retriever = Retriever.load(model_dir)
    column = query_column(retriever.query_schema)
    attribute = answer_attribute(retriever, answer)
    out = Console(soft_wrap=True, highlight=False, markup=False)
    turns: list[str] = []
    for line in lines(out):
        if line == RESET:
            turns.clear()
            continue
        turns = [*turns, line][-history:]
        dialogue = turns if column.is_list else separator.join(turns)
        answers = best_answers(retriever, {column.name: [dialogue]}, attribute, top)
        for text, score in answers:
            out.print(f"{score:9.4f}  {printable(text)}")
        turns += [text for text, _ in answers[:1]]


def best_answers(retriever: Retriever, query: dict[str, list], attribute: str, top: int) -> list[tuple[str, float]]:
    """The best `top` items that have anything to say, text and score; fewer where there are no more."""
    k = top
    while True:
        found = retriever.search(query, k)
        pairs = zip(found[attribute][0].tolist(), found["score"][0].tolist(), strict=True)
        texts = [(" ".join(text.split()), score) for text, score in pairs if score > -math.inf]
        answers = [(text, score) for text, score in texts if printable(text)]
        if len(answers) >= top or len(texts) < k:
            return answers[:top]
        k *= 2


def printable(text: str) -> str:
    """A text on one line, without characters that a terminal obeys and doesn't show."""
    shown = (char for char in text if char.isspace() or char in JOINERS or unicodedata.category(char) not in UNSEEN)
    return " ".join("".join(shown).split())


def lines(out: Console) -> Iterator[str]:
    """What is typed or piped, without empty lines, up to `:quit` or the end; what is no text is replaced."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    talking = sys.stdin.isatty()
    while True:
        try:
            line = out.input(PROMPT) if talking else sys.stdin.readline()
        except (EOFError, KeyboardInterrupt):
            return
        if (not line and not talking) or line.strip() == QUIT:
            return
        if line.strip():
            yield line.strip()


def query_column(schema: Schema) -> ColumnSchema:
    """The column that holds the dialogue: a text, or a list of texts; others may be left out.

    Raises:
        ValueError: there is none, or several; or another column can't be left out.
    """
    texts = [column for column in schema if column.kind is Kind.STRING or (column.is_list and column.dtype == "string")]
    needed = [column.name for column in schema if not column.nullable and column not in texts]
    if len(texts) != 1 or needed:
        raise ValueError(
            f"A dialogue is one column of text, or of lists of texts. This model takes {schema.column_names}. Ask it "
            "by `tfdual query`."
        )
    return texts[0]


def answer_attribute(retriever: Retriever, wanted: str | None) -> str:
    """The attribute of text that is shown.

    Raises:
        ValueError: there is none, or several and none is wanted; or no attribute of text has the name that is.
    """
    described, schema = retriever.description, retriever.item_schema
    texts = [name for name in described["attributes"] if schema[name].dtype == "string"]
    if not texts:
        raise ValueError(
            "The model gives no text with an item, so that it has nothing to say. Make it by `to_retriever(..., "
            "attributes=['answer'])`, with the column of the texts."
        )
    if wanted is None and len(texts) > 1:
        raise ValueError(
            f"The model gives the texts {texts} with an item. Say which is the answer: --answer {texts[0]}."
        )
    if wanted is not None and wanted not in texts:
        raise ValueError(f"The model gives no text {wanted!r} with an item. It gives {texts}.")
    return wanted or texts[0]
