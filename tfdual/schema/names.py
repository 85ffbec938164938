"""What the name of a column suggests."""

import re

from tfdual.schema.tags import Tags

WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
SIDES = {
    Tags.USER: "user member customer visitor profile reader listener viewer buyer subscriber patient student query",
    Tags.ITEM: "item product song movie film track article doc document book video news listing post game recipe job "
    "hotel restaurant business page album artist podcast show anime app ad sku gmap asin isbn",
    Tags.SESSION: "session visit trip",
}
LAST_WORDS = {
    Tags.ID: "id uuid guid",
    Tags.TIME: "time timestamp datetime date ts at",
    Tags.TARGET: "target label click clicked rating like liked purchased converted conversion relevance",
}
QUANTITIES = "num number count n price amount age avg average mean total sum length size score ratio rate duration year"
HISTORY = "history past last recent previous viewed watched clicked bought played read"
OF_SIDE = {word: side for side, words in SIDES.items() for word in words.split()}
CODES = ("asin", "isbn")
"""Words that are ids by themselves."""
COMPOUND = {Tags.USER: Tags.USER_ID, Tags.ITEM: Tags.ITEM_ID, Tags.SESSION: Tags.SESSION_ID}


def name_tags(name: str) -> set[str]:
    """The tags that a name suggests; the values decide which of them hold.

    `CONTINUOUS` stands for a quantity, such as a count or a price.

    Args:
        name: str. In any of `user_id`, `userId`, `userid`.

    Example:
        >>> sorted(name_tags("movieId"))
        [<Tags.ID: 'id'>, <Tags.ITEM: 'item'>, <Tags.ITEM_ID: 'item_id'>]
    """
    words = words_of(name)
    tags: set[str] = {tag for tag, last in LAST_WORDS.items() if words[-1:] and words[-1] in last.split()}
    if "weight" in words:
        tags.add(Tags.WEIGHT)
    if not tags & {Tags.ID, Tags.TIME} and set(words) & set(QUANTITIES.split()):
        tags = tags - {Tags.TARGET} | {Tags.CONTINUOUS}
    sides = [OF_SIDE[word] for word in words if word in OF_SIDE]
    if Tags.TARGET in tags or not sides:
        return tags
    is_history = sides[0] is Tags.ITEM and set(words) & set(HISTORY.split())
    side = Tags.USER if is_history else sides[0]
    tags.add(side)
    if Tags.ID in tags and (len(words) == 2 or words == ["parent", "asin", "id"]):
        tags.add(COMPOUND[side])
    return tags


def words_of(name: str) -> list[str]:
    """The words of a name in lower case and singular, `userid` as two, `asin` as `asin id`."""
    words: list[str] = []
    for word in (found.lower() for found in WORD.findall(name)):
        known = word in OF_SIDE or word not in {f"{other}s" for other in [*OF_SIDE, "id", "weight", "click", "like"]}
        word = word if known else word[:-1]
        stem = word.removesuffix("id")
        is_id = word in CODES or (stem != word and stem in OF_SIDE)
        words += [stem, "id"] if is_id else [word]
    return words
