"""What a column means, as tags."""

from collections.abc import Iterable
from enum import StrEnum


class Tags(StrEnum):
    """Standard tags; a plain string is a tag too.

    `USER_ID`, `ITEM_ID` and `SESSION_ID` are compound: each stands for its side and `ID`; so is `TEXT_TOKENIZED`. A
    name in capitals, with or without `Tags.` before it, is the same tag.

    Example:
        >>> Tags("Tags.USER_ID")
        <Tags.USER_ID: 'user_id'>
        >>> sorted(expand_tags([Tags.ITEM_ID]))
        [<Tags.ID: 'id'>, <Tags.ITEM: 'item'>, <Tags.ITEM_ID: 'item_id'>]

    Reference: NVIDIA Merlin Core, `merlin.schema.Tags`
    """

    CATEGORICAL = "categorical"
    CONTINUOUS = "continuous"
    LIST = "list"
    SEQUENCE = "sequence"
    TEXT = "text"
    TOKENIZED = "tokenized"
    TIME = "time"
    EMBEDDING = "embedding"

    ID = "id"
    USER = "user"
    ITEM = "item"
    SESSION = "session"
    CONTEXT = "context"
    USER_ID = "user_id"
    ITEM_ID = "item_id"
    SESSION_ID = "session_id"
    TEXT_TOKENIZED = "text_tokenized"

    TARGET = "target"
    REGRESSION = "regression"
    CLASSIFICATION = "classification"
    BINARY = "binary"
    MULTI_CLASS = "multi_class"
    BINARY_CLASSIFICATION = "binary_classification"
    MULTI_CLASS_CLASSIFICATION = "multi_class_classification"

    WEIGHT = "weight"
    LOG_PROBABILITY = "log_probability"

    @classmethod
    def _missing_(cls, value: object) -> "Tags | None":
        name = str(value).removeprefix("Tags.").upper()
        return cls.__members__.get(name)


COMPOUND: dict[str, tuple[Tags, ...]] = {
    Tags.USER_ID: (Tags.USER, Tags.ID),
    Tags.ITEM_ID: (Tags.ITEM, Tags.ID),
    Tags.SESSION_ID: (Tags.SESSION, Tags.ID),
    Tags.TEXT_TOKENIZED: (Tags.TEXT, Tags.TOKENIZED),
}
INCOMPATIBLE: tuple[tuple[Tags, Tags], ...] = (
    (Tags.CATEGORICAL, Tags.CONTINUOUS),
    (Tags.ID, Tags.CONTINUOUS),
    (Tags.TEXT, Tags.CONTINUOUS),
    (Tags.EMBEDDING, Tags.CATEGORICAL),
    (Tags.EMBEDDING, Tags.CONTINUOUS),
    (Tags.EMBEDDING, Tags.ID),
    (Tags.USER_ID, Tags.ITEM_ID),
)


def as_tag(tag: str) -> str:
    """The standard tag of that value or name, or the string itself."""
    try:
        return Tags(tag)
    except ValueError:
        return str(tag)


def as_tags(tags: Iterable[str] | str) -> set[str]:
    """One tag or several, the standard ones as `Tags`.

    Raises:
        TypeError: a tag is no string.
    """
    given = [tags] if isinstance(tags, str) or not isinstance(tags, Iterable) else list(tags)
    if wrong := [tag for tag in given if not isinstance(tag, str)]:
        raise TypeError(f"A tag is one of Tags, or a string. Received {wrong[0]!r}.")
    return {as_tag(tag) for tag in given}


def expand_tags(tags: Iterable[str] | str) -> frozenset[str]:
    """Add what compound tags stand for, and refuse pairs that contradict each other.

    Raises:
        ValueError: two tags exclude each other.
    """
    given = as_tags(tags)
    expanded = given | {part for tag in given for part in COMPOUND.get(tag, ())}
    for left, right in INCOMPATIBLE:
        if left in expanded and right in expanded:
            raise ValueError(
                f"Tags {left.name} and {right.name} exclude each other. Received {sorted(given)}. Remove one."
            )
    return frozenset(expanded)
