"""Columns that are in no tower."""

import warnings
from collections.abc import Collection

from tfdual.schema import Schema, Tags

NO_FEATURE = (Tags.ID, Tags.TARGET, Tags.WEIGHT, Tags.TIME, Tags.LOG_PROBABILITY)


def warn_of_unread(schema: Schema, sides: Collection[str], read: Collection[str]) -> None:
    """Tell of features that have the tag of no side, and that no tower reads by itself.

    Ids, times, targets and weights need no side; nor do lists of ids, such as those of items that were shown.

    Args:
        schema: Schema.
        sides: tags of the sides.
        read: names of the columns that the towers read.
    """
    others = {column.weights for column in schema}
    ids = {column.domain_name for column in schema.select_by_tag(Tags.ID)}
    unread = [
        column.name
        for column in schema.excluding_by_tag([*sides, *NO_FEATURE])
        if column.name not in {*read, *others} and column.domain_name not in ids
    ]
    if unread:
        warnings.warn(
            f"No tower reads the columns {unread}: they have none of the tags {[*map(str, sides)]}. Tag those that "
            f"the model is to learn from, and leave the others out: schema.without({unread}).",
            stacklevel=3,
        )
