"""Which steps each column of a schema takes, and what columns of one domain share."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np

from tfdual.preprocessing.chain import Chain
from tfdual.preprocessing.hashed_text import HashedText
from tfdual.preprocessing.list_slice import ListSlice
from tfdual.preprocessing.passthrough import Passthrough
from tfdual.preprocessing.split import Split
from tfdual.preprocessing.standardize import Standardize
from tfdual.preprocessing.transform import Transform
from tfdual.preprocessing.vocabulary import Vocabulary
from tfdual.schema import ColumnSchema, Kind, Schema, Tags

DEFAULTS: dict[Kind, type[Transform]] = {
    Kind.DENSE: Standardize,
    Kind.CATEGORICAL: Vocabulary,
    Kind.ID_LIST: Vocabulary,
    Kind.EMBEDDING: Passthrough,
    Kind.STRING: HashedText,
}


def column_chains(schema: Schema, transforms: Mapping[str, Transform | Sequence[Transform]]) -> dict[str, Chain]:
    """The chain of each column, by name.

    A column takes the transform of its name, else of its domain, else the default of its kind. Columns of one domain
    share the step that makes their ids, so that one id means one value. The steps are copies, whose columns learn apart
    even where one object was given to them.

    Raises:
        ValueError: a transform is named for no column; columns of one domain differ in dtype, or are given steps that
            make different ids or know different values; `"weights"` names no ragged floats.
        TypeError: a transform can't take its column.
    """
    known = {name for column in schema for name in (column.name, column.domain_name)}
    if unknown := sorted(set(transforms) - known):
        raise ValueError(f"Transforms are given for {unknown}; the schema has no such column or domain.")
    named = {column.name: transforms.get(column.name, transforms.get(column.domain_name)) for column in schema}
    given = {name: _chain(name, transform) for name, transform in named.items() if transform is not None}
    chains: dict[str, Chain] = {}
    for domain in dict.fromkeys(column.domain_name for column in schema):
        chains |= _shared([column for column in schema if column.domain_name == domain], given)
    chains = _with_weights_cut(schema, chains)
    for column in schema:
        chains[column.name].outputs(column)
    return {column.name: chains[column.name] for column in schema}


def _chain(name: str, transform: Transform | Sequence[Transform]) -> Chain:
    if not isinstance(transform, Transform | list | tuple):
        raise TypeError(
            f"Column '{name}' takes a transform such as Vocabulary(), or a list of them. Received {transform!r}."
        )
    return Chain(copy.deepcopy([transform] if isinstance(transform, Transform) else transform))


def _default(column: ColumnSchema) -> Chain:
    delimiter = column.properties.get("delimiter")
    if delimiter and column.kind is Kind.CATEGORICAL and column.dtype == "string":
        return Chain([Split(delimiter), Vocabulary()])
    if column.kind is Kind.DENSE and {Tags.WEIGHT, Tags.TARGET} & set(column.tags):
        return Chain([Passthrough()])
    return Chain([DEFAULTS[column.kind]()])


def _shared(columns: list[ColumnSchema], given: Mapping[str, Chain]) -> dict[str, Chain]:
    """The chains of one domain, with one object for the step that makes ids or learns."""
    domain = columns[0].domain_name
    if len({column.dtype for column in columns}) > 1:
        types = {column.name: column.dtype for column in columns}
        raise ValueError(f"Columns of the domain '{domain}' must have one dtype. Received {types}.")
    chosen = {
        column.name: step for column in columns if column.name in given and (step := given[column.name].shared(column))
    }
    if len({_as_text(step) for step in chosen.values()}) > 1:
        raise ValueError(
            f"Columns of the domain '{domain}' share what makes their ids. Received different steps for "
            f"{sorted(chosen)}. Give them the same arguments, or name one column only."
        )
    knowing = [step for step in chosen.values() if isinstance(step, Vocabulary) and len(step.values)]
    if any(not np.array_equal(step.values, knowing[0].values) for step in knowing):
        raise ValueError(
            f"Columns of the domain '{domain}' share one vocabulary. Received several that know different values, for "
            f"{sorted(chosen)}. Give one that knows all of them, under the domain's name."
        )
    chains = {column.name: given.get(column.name) or _default(column) for column in columns}
    first = next(iter(knowing or chosen.values()), None) or next(
        (step for column in columns if (step := chains[column.name].shared(column))), None
    )
    return {column.name: _replaced(chains[column.name], column, first) for column in columns}


def _replaced(chain: Chain, column: ColumnSchema, shared: Transform | None) -> Chain:
    own = chain.shared(column)
    return chain if own is None or shared is None else Chain([shared if step is own else step for step in chain.steps])


def _as_text(transform: Transform) -> str:
    return f"{type(transform).__qualname__}({transform.get_config()})"


def _with_weights_cut(schema: Schema, chains: dict[str, Chain]) -> dict[str, Chain]:
    """Let the weights of a list be cut as the list is."""
    cut = dict(chains)
    for column in schema:
        if not (weights := column.weights):
            continue
        if weights not in schema:
            raise ValueError(
                f"The property 'weights' of column '{column.name}' names '{weights}', which the schema lacks. "
                "Add ColumnSchema(name, ['weight'], dtype='float32', is_list=True)."
            )
        present = {_as_text(step) for step in chains[weights].steps}
        cuts = [step for step in chains[column.name].steps if isinstance(step, ListSlice)]
        slices = [step for step in cuts if _as_text(step) not in present]
        cut[weights] = Chain([*chains[weights].steps, *slices])
    return cut
