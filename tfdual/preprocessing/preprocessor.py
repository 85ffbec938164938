"""Raw rows to model-ready tensors, fitted once, the same in training and in the served graph."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.preprocessing.ngrams import HashedText
from tfdual.preprocessing.passthrough import Passthrough
from tfdual.preprocessing.standardize import Standardize
from tfdual.preprocessing.transform import Transform, Values
from tfdual.preprocessing.vocabulary import Vocabulary
from tfdual.schema import ColumnSchema, Kind, Schema, Tags

DEFAULTS: dict[Kind, type[Transform]] = {
    Kind.DENSE: Standardize,
    Kind.CATEGORICAL: Vocabulary,
    Kind.ID_LIST: Vocabulary,
    Kind.EMBEDDING: Passthrough,
    Kind.STRING: HashedText,
}


class ArrayStream(Protocol):
    """What `adapt` reads: `tfdual.read(...)` gives one."""

    schema: Schema

    def arrays(self) -> Iterator[Mapping[str, Values]]:
        """NumPy arrays by column name, a batch at a time."""


class Preprocessor:
    """Vocabularies, scaling and text ids of a schema's columns.

    Dense columns are standardised, categorical ids and id lists get a vocabulary, vectors pass, strings become
    hashed word ids. Columns of one domain share one transform. The column tagged `ITEM_ID` also gives
    `<name>_log_probability`, the sampling probability that in-batch training corrects for.

    Args:
        schema: Schema. The raw columns.
        transforms: mapping of column or domain name -> `Transform`, instead of the default. Defaults to none.

    Raises:
        ValueError: a transform is named for no column; columns of one domain differ in type or are given two
            transforms; used before `adapt`.

    Example:
        >>> import pyarrow as pa
        >>> from tfdual import ColumnSchema, read
        >>> schema = Schema([ColumnSchema("genre", [Tags.CATEGORICAL], dtype="string")])
        >>> rows = read(pa.table({"genre": ["jazz", "rock", "jazz"]}), schema)
        >>> prep = Preprocessor(schema).adapt(rows)
        >>> prep({"genre": tf.constant(["jazz", "rock", "polka"])})["genre"].numpy().tolist()
        [1, 2, 0]
    """

    def __init__(self, schema: Schema, transforms: Mapping[str, Transform] | None = None) -> None:
        given = dict(transforms or {})
        known = {column.name for column in schema} | {column.domain_name for column in schema}
        if unknown := sorted(set(given) - known):
            raise ValueError(f"Transforms are given for {unknown}; the schema has no such column or domain.")
        self._input = schema
        self._transforms: dict[str, Transform] = {}
        for column in schema:
            self._transforms.setdefault(column.domain_name, DEFAULTS[column.kind]())
        for domain in self._transforms:
            names = {domain} | {column.name for column in schema if column.domain_name == domain}
            chosen = {name: given[name] for name in sorted(names & set(given))}
            if len(set(map(id, chosen.values()))) > 1:
                raise ValueError(
                    f"Columns of the domain '{domain}' share one transform. Received some for {list(chosen)}."
                )
            self._transforms[domain] = next(iter(chosen.values()), self._transforms[domain])
        self._check_domains()
        self._output: Schema | None = None

    def _check_domains(self) -> None:
        for name in self._transforms:
            shared = [column for column in self._input if column.domain_name == name]
            if len({column.dtype for column in shared}) > 1:
                types = {column.name: column.dtype for column in shared}
                raise ValueError(f"Columns of the domain '{name}' must have one dtype. Received {types}.")

    @property
    def input_schema(self) -> Schema:
        """The raw columns."""
        return self._input

    @property
    def schema(self) -> Schema:
        """The model-ready columns: what towers are built from.

        Raises:
            ValueError: `adapt` was not called yet.
        """
        if self._output is None:
            raise ValueError("The preprocessor knows no vocabulary yet. Call `adapt(rows)` first.")
        return self._output

    def adapt(self, rows: ArrayStream) -> "Preprocessor":
        """Fit every transform in one pass over `rows`, and return the preprocessor itself.

        Raises:
            ValueError: the rows lack a column, or the preprocessor was adapted before.
        """
        if self._output is not None:
            raise ValueError("This preprocessor is adapted already. Make a new one to fit other rows.")
        if missing := [name for name in self._input.column_names if name not in rows.schema]:
            raise ValueError(f"The rows lack the columns {missing} of the preprocessor's schema.")
        for batch in rows.arrays():
            for column in self._input:
                self._transforms[column.domain_name].update(column, batch[column.name])
        for transform in self._transforms.values():
            transform.finish()
        outputs = [self._transforms[column.domain_name].output(column) for column in self._input]
        self._log_probabilities: dict[str, tf.Tensor] = {}
        for column in self._input.select_by_tag(Tags.ITEM_ID):
            if isinstance(vocabulary := self._transforms[column.domain_name], Vocabulary):
                name = f"{column.name}_log_probability"
                outputs.append(ColumnSchema(name, [Tags.LOG_PROBABILITY], dtype="float32"))
                self._log_probabilities[column.name] = tf.constant(vocabulary.log_probability(column.name))
        self._output = Schema(outputs)
        return self

    def vocabulary(self, column: str) -> list:
        """The raw values of a categorical column or id list; position = id - 1.

        Raises:
            KeyError: there is no such column.
            ValueError: the column has no vocabulary.
        """
        self.schema[column]
        transform = self._transforms[self._input[column].domain_name]
        if not isinstance(transform, Vocabulary):
            raise ValueError(f"Column '{column}' has no vocabulary: it is {self._input[column].kind}.")
        return transform.values.tolist()

    @property
    def tables(self) -> list[Any]:
        """TensorFlow resources that a SavedModel of this preprocessor must keep."""
        return [table for transform in self._transforms.values() for table in transform.tables]

    def __call__(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Model-ready tensors of the columns that `batch` holds; columns of no schema pass unchanged."""
        _ = self.schema  # refuses before `adapt`
        ready = dict(batch)
        for name in batch:
            if name in self._input:
                ready[name] = self._transforms[self._input[name].domain_name](batch[name])
                if name in self._log_probabilities:
                    ready[f"{name}_log_probability"] = tf.gather(self._log_probabilities[name], ready[name])
        return ready
