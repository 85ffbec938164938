"""Raw rows to model-ready tensors, fitted in one pass, the same in training and in the served graph."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, Self, runtime_checkable

import keras
import numpy as np
import pyarrow as pa
import tensorflow as tf

from tfdual._aside import made_aside
from tfdual._register import register
from tfdual._typing import Tensor
from tfdual.preprocessing import saved_state
from tfdual.preprocessing.column_chains import column_chains
from tfdual.preprocessing.transform import Transform, learned_whole
from tfdual.preprocessing.vocabulary import Vocabulary
from tfdual.schema import Schema


@runtime_checkable
class TableStream(Protocol):
    """What `adapt` reads: `tfdual.read(...)` gives one."""

    schema: Schema

    def tables(self) -> Iterator[pa.Table]:
        """Arrow tables, a batch at a time."""


@register
class Preprocessor(keras.layers.Layer):
    """Vocabularies, scaling and text ids of a schema's columns.

    Dense columns are standardised, categorical ids and id lists get a vocabulary, vectors pass, strings become hashed
    word ids. Columns of one domain share one vocabulary. The column tagged `ITEM_ID` also gives
    `<name>_log_probability`, the sampling probability that in-batch training corrects for.

    It is a Keras layer, saved with the model that holds it, and a function for `tf.data.Dataset.map`. Tensors are
    TensorFlow's whatever Keras's backend is, and none is cast: ids stay int64.

    Args:
        schema: Schema. The raw columns.
        transforms: mapping of column or domain name -> `Transform` or list of them, instead of the default. What is
            given is copied, and learns nothing itself. Defaults to none.

    Raises:
        ValueError: a transform is named for no column; columns of one domain differ in type or in what makes their ids;
            used before `adapt`.
        TypeError: a transform can't take its column, or is none.

    Example:
        >>> import pyarrow as pa
        >>> from tfdual import ColumnSchema, Tags, read
        >>> schema = Schema([ColumnSchema("genre", [Tags.CATEGORICAL], dtype="string")])
        >>> rows = read(pa.table({"genre": ["jazz", "rock", "jazz"]}), schema)
        >>> prep = Preprocessor(schema).adapt(rows)
        >>> prep({"genre": tf.constant(["jazz", "rock", "polka"])})["genre"].numpy().tolist()
        [1, 2, 0]
    """

    def __init__(
        self,
        schema: Schema,
        transforms: Mapping[str, Transform | Sequence[Transform]] | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(schema, Schema):
            raise TypeError(
                f"A Preprocessor is made for a Schema, such as `rows.schema`. Received {type(schema).__name__}."
            )
        super().__init__(autocast=False, **kwargs)
        self._raw = schema
        self._chains = MappingProxyType(column_chains(schema, transforms or {}))
        self._ready: Schema | None = None
        self._tables: list[Any] = []

    @property
    def input_schema(self) -> Schema:
        """The raw columns."""
        return self._raw

    @property
    def schema(self) -> Schema:
        """The model-ready columns: what towers are built from.

        Raises:
            ValueError: `adapt` was not called yet.
        """
        if self._ready is None:
            raise ValueError("The preprocessor knows no vocabulary yet. Call `adapt(rows)` first.")
        return self._ready

    @property
    def tables(self) -> list[Any]:
        """TensorFlow resources that a SavedModel of this preprocessor must keep."""
        return list(self._tables)

    def adapt(self, rows: TableStream) -> Self:
        """Learn from one pass over `rows`, and return the preprocessor itself.

        Called again, with new rows, it learns on: a vocabulary keeps its ids and grows, means, ranges and quantiles are
        those of all rows seen. Where reading stops at an error, nothing is learned. A model's embedding tables are as
        large as the schema they were built from.

        Raises:
            TypeError: `rows` is no stream of tables.
            ValueError: the rows lack a column.
        """
        if not isinstance(rows, TableStream):
            raise TypeError(
                f"adapt() takes rows, as `tfdual.read(source, schema)` gives them. Received {type(rows).__name__}."
            )
        if missing := [name for name in self._raw.column_names if name not in rows.schema]:
            raise ValueError(f"The rows lack the columns {missing} of the preprocessor's schema.")
        learning = [column for column in self._raw if self._chains[column.name].learns]
        with learned_whole(self._learners().values()) as steps:
            for table in rows.tables() if learning else ():
                for column in learning:
                    self._chains[column.name].update(column, table[column.name].combine_chunks())
            for step in steps:
                step.finish()
        return self._learned()

    def _learners(self) -> dict[str, Transform]:
        """Each step that learns once, by its first column."""
        found: dict[str, Transform] = {}
        for name, chain in self._chains.items():
            if chain.learner and all(chain.learner is not other for other in found.values()):
                found[name] = chain.learner
        return found

    def _learned(self) -> Self:
        self._ready = Schema(ready for column in self._raw for ready in self._chains[column.name].outputs(column))
        tables = {id(table): table for chain in self._chains.values() for table in chain.tables}
        self._tables = list(tables.values())
        self.built = True
        return self

    def vocabulary(self, column: str) -> list:
        """The raw values of a categorical column or id list, strings as bytes; the unknown ids aren't among them.

        Raises:
            KeyError: there is no such column.
            ValueError: the column has no vocabulary.
        """
        return self._vocabulary(column).values.tolist()

    def raw_values(self, column: str, ids: np.ndarray) -> np.ndarray:
        """The raw values of ids of a categorical column; strings as bytes.

        Raises:
            KeyError: there is no such column.
            ValueError: the column has no vocabulary, or an id stands for unknown values.
        """
        vocabulary = self._vocabulary(column)
        if unknown := int((ids < vocabulary.num_oov_indices).sum()):
            raise ValueError(
                f"{unknown} values are unknown to the vocabulary of '{column}', so their raw values are lost."
            )
        return vocabulary.values[ids - vocabulary.num_oov_indices]

    def _vocabulary(self, column: str) -> Vocabulary:
        self.schema[column]
        learner = self._chains[column].learner
        if not isinstance(learner, Vocabulary):
            raise ValueError(f"Column '{column}' has no vocabulary: it is {self._raw[column].kind}.")
        return learner

    def __call__(self, batch: Mapping[str, Tensor], **kwargs: Any) -> dict[str, Tensor]:
        """Model-ready tensors of the columns that `batch` holds; columns of no schema pass unchanged.

        Keras's own `Layer.__call__` would cast, and convert to another backend; only symbolic inputs go through it.
        """
        if any(isinstance(values, keras.KerasTensor) for values in batch.values()):
            return super().__call__(batch)
        if tf.executing_eagerly() and keras.backend.backend() != "tensorflow":
            return tf.function(self.call)(batch)  # Keras's lookups give the backend's tensors unless in a graph
        return self.call(batch)

    def call(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What `__call__` does, for Keras."""
        _ = self.schema  # refuses before `adapt`
        ready = dict(batch)
        for name in batch:
            if name in self._raw:
                ready |= self._chains[name].apply(self._raw[name], batch[name])
        return ready

    def compute_output_spec(self, batch: Mapping[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
        """Shapes and types, for Keras's functional models."""
        specs = dict(batch)
        for name in batch:
            for output in self._chains[name].outputs(self._raw[name]) if name in self._raw else ():
                ready = self.schema[output.name]
                shape = (batch[name].shape[0], *([ready.width] if ready.is_list else []))
                specs[ready.name] = keras.KerasTensor(shape, ready.dtype, ragged=ready.is_ragged)
        return specs

    def get_build_config(self) -> dict[str, Any] | None:
        """The model-ready schema, which a functional model needs before it loads what was learned."""
        return None if self._ready is None else self._ready.to_dict()

    def build_from_config(self, config: dict[str, Any]) -> None:
        self._ready = Schema.from_dict(config)

    def save(self, path: str | Path) -> None:
        """Write a folder: `preprocessor.json`, and vocabularies with their counts in Parquet.

        Raises:
            FileExistsError: there is something at `path`.
            OSError: the folder can't be written. Nothing is left behind.
        """
        path = Path(path)
        if path.exists():
            raise FileExistsError(f"There is something at {path} already. Give another path, or remove it first.")
        aside = path.parent / f".writing-{path.name}-{os.getpid()}"
        with made_aside(aside):
            self.save_assets(aside)
            aside.rename(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote; it can be called at once, and adapted again.

        Raises:
            FileNotFoundError: there is no such folder, or a file of it is gone.
            ValueError: a file is damaged or of another version; a class of transforms is not known.
        """
        content = saved_state.read(Path(path))
        try:
            preprocessor = cls.from_config(content["config"])
        except (TypeError, KeyError) as error:
            raise ValueError(
                f"{path} holds a transform that can't be made: {str(error).splitlines()[0]} Import the module "
                "of your own transforms before, and register each with `keras.saving.register_keras_serializable`."
            ) from error
        return preprocessor._restored(content["state"])

    def save_assets(self, folder: str | Path) -> None:
        """What `save` and a saved model of Keras hold."""
        state = None if self._ready is None else {name: step.state() for name, step in self._learners().items()}
        saved_state.write(Path(folder), {"config": self.get_config(), "state": state})

    def load_assets(self, folder: str | Path) -> None:
        """Take back what `save_assets` wrote."""
        self._restored(saved_state.read(Path(folder))["state"])

    def raw_columns(self, ready: Collection[str]) -> Schema:
        """The raw columns that model-ready columns are made of.

        Args:
            ready: names of model-ready columns; others are ignored.
        """
        return Schema(
            column
            for column in self._raw
            if any(made.name in ready for made in self._chains[column.name].outputs(column))
        )

    def fingerprint(self, columns: Sequence[str]) -> bytes:
        """A SHA-256 of what is done to raw columns: two preprocessors that give it make the same values of them.

        Raises:
            KeyError: there is no such column.
            ValueError: used before `adapt`.
        """
        _ = self.schema  # refuses before `adapt`
        serialize = keras.saving.serialize_keras_object
        chains = {self._raw[name].name: self._chains[name] for name in sorted(columns)}
        config = {name: [serialize(step)["config"] for step in chain.steps] for name, chain in chains.items()}
        kinds = {name: [type(step).__name__ for step in chain.steps] for name, chain in chains.items()}
        state = {name: chain.state() for name, chain in chains.items()}
        columns_told = [self._raw[name].to_dict() for name in chains]
        return saved_state.fingerprint({"config": config, "kinds": kinds, "columns": columns_told, "state": state})

    def _restored(self, state: dict[str, Any] | None) -> Self:
        if state is None:
            return self
        for name, step in self._learners().items():
            if name not in state:
                raise ValueError(f"The saved state lacks what '{name}' learned. It has {sorted(state)}. Save it again.")
            step.restore(state[name])
        return self._learned()

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        transforms = {name: [serialize(step) for step in chain.steps] for name, chain in self._chains.items()}
        return super().get_config() | {"schema": self._raw.to_dict(), "transforms": transforms}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        schema = Schema.from_dict(config.pop("schema"))
        deserialize = keras.saving.deserialize_keras_object
        chains = {name: [deserialize(step) for step in steps] for name, steps in config.pop("transforms").items()}
        return cls(schema, chains, **config)
