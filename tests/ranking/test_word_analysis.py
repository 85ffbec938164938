"""The words of texts, and the parts of identifiers among them."""

import re

import pytest

from tfdual.ranking import WordAnalysis

TEXTS = [
    "",
    "call openFile, then close_window(x)",
    "__init__ _ a_ _b aB Ab aBC ABc",
    "HTTPServer2Go parseHTTP404Page snake_case_2 camelCase",
    "Größe_in_cm überGröße éA aÉ naïveBayes",
    "a-b c.d eF.gH i_j-k_l 3_4 x2Y",
    "line_one\nlineTwo\ttab_bed",
]


@pytest.mark.parametrize("text", TEXTS)
def test_parts_are_those_of_words_with_an_underscore_or_a_small_letter_before_a_capital(text: str) -> None:
    identifiers = re.findall(r"\w*(?:_|[a-z][A-Z])\w*", text)
    parts = [part for each in identifiers for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", each)]
    plain = WordAnalysis(identifiers=False)
    assert WordAnalysis()([text]) == plain([" ".join([text, *parts])])


def test_a_word_of_any_length_is_analysed() -> None:
    word = "ab" * 100_000
    assert WordAnalysis(stemming=False)([word]) == [[word]]
