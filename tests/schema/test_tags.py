"""Tags: compound ones, and pairs that contradict each other."""

import pytest

from tfdual.schema import Tags
from tfdual.schema.tags import expand_tags


@pytest.mark.parametrize(
    "tag, expected",
    [
        ("user_id", {"user_id", "user", "id"}),
        ("item_id", {"item_id", "item", "id"}),
        ("session_id", {"session_id", "session", "id"}),
        ("text_tokenized", {"text_tokenized", "text", "tokenized"}),
        ("USER_ID", {"user_id", "user", "id"}),
        ("Tags.ITEM", {"item"}),
        ("Mine", {"Mine"}),
        ("user", {"user"}),
        ("my_own", {"my_own"}),
    ],
)
def test_compound_tags_stand_for_their_side_and_id(tag: str, expected: set[str]) -> None:
    assert expand_tags([tag]) == expected
    assert expand_tags(tag) == expected


@pytest.mark.parametrize("spelling", ["user_id", "USER_ID", "Tags.USER_ID"])
def test_a_tag_has_the_spellings_of_merlin(spelling: str) -> None:
    assert Tags(spelling) is Tags.USER_ID


def test_an_unknown_tag_is_no_standard_tag() -> None:
    with pytest.raises(ValueError, match="'mine' is not a valid Tags"):
        Tags("mine")


def test_a_string_of_a_standard_tag_becomes_that_tag() -> None:
    (tag,) = expand_tags(["text"])
    assert tag is Tags.TEXT


@pytest.mark.parametrize(
    "left, right",
    [
        ("categorical", "continuous"),
        ("id", "continuous"),
        ("text", "continuous"),
        ("embedding", "categorical"),
        ("embedding", "continuous"),
        ("embedding", "id"),
        ("user_id", "item_id"),
        ("item_id", "continuous"),
    ],
)
def test_tags_that_contradict_each_other_are_refused(left: str, right: str) -> None:
    with pytest.raises(ValueError, match=r"exclude each other. Received .* Remove one"):
        expand_tags([left, right])


def test_tags_of_both_sides_without_ids_go_together() -> None:
    assert expand_tags(["user", "item", "categorical", "id"]) == {"user", "item", "categorical", "id"}
