"""A schema from the names, types and values of a sample."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tfdual.schema.column_schema import ColumnSchema, Kind
from tfdual.schema.feature_maps import FEATURE_MAPS
from tfdual.schema.guesses import SIDES, Guess, Sampled, guess_ids, guess_single, left_out, said
from tfdual.schema.names import name_tags, words_of
from tfdual.schema.sample_values import dtype_of, json_lists
from tfdual.schema.schema import Schema
from tfdual.schema.tags import Tags

MAP_TAGS = {
    FEATURE_MAPS[Kind.DENSE]: Tags.CONTINUOUS,
    FEATURE_MAPS[Kind.CATEGORICAL]: Tags.CATEGORICAL,
    FEATURE_MAPS[Kind.EMBEDDING]: Tags.EMBEDDING,
    FEATURE_MAPS[Kind.ID_LIST]: Tags.LIST,
    FEATURE_MAPS[Kind.STRING]: Tags.TEXT,
}

ID_SIDES: dict[str, str | None] = {Tags.USER_ID: Tags.USER, Tags.ITEM_ID: Tags.ITEM, Tags.SESSION_ID: None}


def infer_columns(sample: pa.Table, from_text: bool = False) -> tuple[Schema, dict[str, str]]:
    """Guess what each column of a sample is.

    A guess is corrected with `schema.replace(name, tags=...)`. Names tell ids, sides, times, targets and weights; types
    and values tell the rest. Where all ids are of users, and one has another value in each row, all features are
    theirs; so of items. The entries of `dense_features_map`, `category_id_features_map`, `embedding_features_map`,
    `id_list_features_map` and `string_features_map` are columns of their own. Columns that no kind fits, or that have
    no name, are left out.

    Args:
        sample: Table. Some rows.
        from_text: bool. The rows come from a text file such as CSV, so strings may spell numbers or delimited lists.
            Defaults to `False`.

    Returns:
        The schema, and for each column a sentence that says why.

    Raises:
        ValueError: the sample has no rows.

    Example:
        >>> schema, reasons = infer_columns(pa.table({"user_id": [7, 8, 7], "price": [1.5, 2.0, 0.5]}))
        >>> schema["user_id"].kind
        <Kind.CATEGORICAL: 'categorical'>
        >>> reasons["price"]
        'float64, 3 values in 3 rows, a number -> CONTINUOUS'
    """
    if not sample.num_rows:
        raise ValueError("A schema is inferred from at least one row. Received none. Check the source.")
    columns = list(_columns(sample, from_text))
    names = [sampled.name for sampled in columns]
    guesses: dict[str, Guess] = {}
    for sampled in sorted(columns, key=lambda sampled: _is_float_list(sampled.array.type)):
        if names.count(sampled.name) > 1:
            guesses[sampled.name] = left_out(sampled, "two columns have this name; rename one")
        elif not sampled.name:
            guesses[sampled.name] = left_out(sampled, f"column {names.index('')} has no name")
        elif sampled.array.null_count == len(sampled.array):
            guesses[sampled.name] = left_out(sampled, "every value is missing")
        elif _is_float_list(sampled.array.type):
            guesses |= _guess_floats(sampled, guesses, {other.name: other.array for other in columns})
        elif _is_list(sampled.array.type):
            guesses[sampled.name] = guess_ids(sampled)
        else:
            guesses[sampled.name] = guess_single(sampled, from_text)
    side = _side_of_rows(columns, guesses)
    ordered = {name: guesses[name].on_side(side) if side else guesses[name] for name in names}
    schema = Schema(guess.column for guess in ordered.values() if guess.column is not None)
    return schema, {name: guess.reason for name, guess in ordered.items()}


def _columns(sample: pa.Table, from_text: bool) -> Iterator[Sampled]:
    """Every column and every entry of a feature map, dictionaries decoded."""
    for name, column in zip(sample.column_names, sample.columns, strict=True):
        array = pa.concat_arrays(column.chunks)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        told = MAP_TAGS.get(name)
        if told and pa.types.is_map(array.type) and dtype_of(array.type.key_type) == "string":
            rows = [dict(row or ()) for row in array.to_pylist()]
            for key in dict.fromkeys(key for row in rows for key in row):
                yield Sampled(key, pa.array([row.get(key) for row in rows], array.type.item_type), told)
        elif told and pa.types.is_struct(array.type):
            for field in array.type:
                yield Sampled(field.name, pc.struct_field(array, field.name), told)
        else:
            yield Sampled(name, json_lists(array) if from_text and pa.types.is_string(array.type) else array)


def _side_of_rows(columns: list[Sampled], guesses: dict[str, Guess]) -> str | None:
    """`USER` where each row is another user, `ITEM` where each is another item by one of its ids; else None."""
    found: dict[str, list[pa.Array]] = {}
    for sampled in columns:
        column = guesses[sampled.name].column
        for tag in ID_SIDES.keys() & (column.tags if column is not None else ()):
            found.setdefault(tag, []).append(sampled.array)
    if len(found) != 1:
        return None
    ((tag, ids),) = found.items()
    return ID_SIDES[tag] if any(pc.count_distinct(array).as_py() == len(array) for array in ids) else None


def _is_list(found: pa.DataType) -> bool:
    return pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_fixed_size_list(found)


def _is_float_list(found: pa.DataType) -> bool:
    return _is_list(found) and pa.types.is_floating(found.value_type)


def _guess_floats(sampled: Sampled, guesses: dict[str, Guess], arrays: dict[str, pa.Array]) -> dict[str, Guess]:
    """An embedding, or the weights of an id list; then the id list's guess changes too."""
    name, lengths = sampled.name, _lengths(sampled.array)
    shortest, longest = (bound.as_py() for bound in pc.min_max(lengths).values())
    named = name_tags(name)
    dtype = dtype_of(sampled.array.type.value_type) or "float32"
    properties = {"nullable": True} if sampled.array.null_count else {}
    among_lists = sampled.told == Tags.LIST
    if among_lists or (sampled.told is None and (Tags.WEIGHT in named or shortest != longest)):
        same = [other for other, array in arrays.items() if _is_list(array.type) and _lengths(array).equals(lengths)]
        partner = _partner(name, [guesses[other] for other in same if other in guesses])
        if partner is not None and partner.column is not None:
            ids = partner.column.with_properties({"weights": name})
            column = ColumnSchema(name, {Tags.WEIGHT} | (ids.tags & SIDES), properties, dtype, is_list=True)
            weights = Guess(column, f"{said(sampled)}, as many in every row as '{ids.name}' has")
            return {ids.name: replace(partner, column=ids), name: weights}
        if Tags.WEIGHT in named:
            column = ColumnSchema(name, {Tags.WEIGHT}, properties, dtype, is_list=True)
            return {name: Guess(column, f"{said(sampled)}, name says weight")}
    if among_lists:
        return {name: left_out(sampled, "it stands among the list features, and there is no id list that it weighs")}
    if shortest != longest or not longest:
        return {name: left_out(sampled, f"{shortest} to {longest} values a row, and no id list that they weigh")}
    embedding = ColumnSchema(name, {Tags.EMBEDDING} | (named & SIDES), properties, dtype, dims=(None, longest))
    return {name: Guess(embedding, f"{said(sampled)}, {longest} in every row")}


def _lengths(array: pa.Array) -> pa.Array:
    return pc.list_value_length(array).cast(pa.int64())


def _partner(name: str, same: list[Guess]) -> Guess | None:
    """The id list without weights whose name has most words in common with `name`."""
    free = [
        (len(set(words_of(guess.column.name)) & set(words_of(name))), guess)
        for guess in same
        if guess.column is not None and guess.column.kind is Kind.ID_LIST and "weights" not in guess.column.properties
    ]
    return max(free, key=lambda found: found[0])[1] if free else None
