"""Filters of items, evaluated in the graph."""

from collections.abc import Callable, Container, Mapping

import tensorflow as tf

from tfdual._typing import Tensor
from tfdual.serving.filter_expression import EQUALITY, HAS, OPERATORS
from tfdual.serving.item_columns import MISSING

_COMPARE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "==": tf.equal,
    "!=": tf.not_equal,
    "<=": tf.less_equal,
    ">=": tf.greater_equal,
    "<": tf.less,
    ">": tf.greater,
}

_BOOLS = ("False", "True")


class ItemFilter:
    """Terms in postfix order -> which items they let through.

    Args:
        columns: of the items: name -> `(items,)` of integers, floats, bools or strings, or ragged `(items, None)`.
        size: int32 scalar. Items.
        nullable: names of those that may lack values. As a NaN, a missing integer is unequal to every value, and
            neither below nor above. Defaults to none.
    """

    def __init__(
        self,
        columns: Mapping[str, Tensor | tf.RaggedTensor],
        size: Tensor | int,
        nullable: Container[str] = (),
    ) -> None:
        self._columns = dict(columns)
        self._size = size
        self._nullable = nullable

    def __call__(self, terms: Tensor) -> Tensor:
        """Bool `(items,)`.

        Args:
            terms: string `(terms,)`, of `compile_filter`. None at all lets every item through.

        Raises:
            tf.errors.InvalidArgumentError: a term names an unknown column or operator, or they don't join to one.
        """
        return tf.cond(tf.size(terms) == 0, lambda: tf.fill([self._size], True), lambda: self._evaluated(terms))

    def _evaluated(self, terms: Tensor) -> Tensor:
        """A stack of masks: a comparison pushes one, `not` replaces the top, `and` and `or` the two at the top."""
        count = tf.size(terms)
        stack = tf.TensorArray(tf.bool, count, element_shape=[None], clear_after_read=False)

        def body(place: Tensor, height: Tensor, stack: tf.TensorArray) -> tuple[Tensor, Tensor, tf.TensorArray]:
            term = terms[place]
            joins = tf.cast((term == "and") | (term == "or"), tf.int32)
            negates = tf.cast(term == "not", tf.int32)
            needed = 2 * joins + negates
            check = tf.debugging.Assert(height >= needed, ["The filter joins more terms than there are:", terms], 100)
            with tf.control_dependencies([check]):
                top, below = tf.maximum(height - 1, 0), tf.maximum(height - 2, 0)
            mask = tf.switch_case(
                tf.where(term == "and", 1, tf.where(term == "or", 2, negates * 3)),
                [
                    lambda: self._compared(term),
                    lambda: stack.read(below) & stack.read(top),
                    lambda: stack.read(below) | stack.read(top),
                    lambda: ~stack.read(top),
                ],
            )
            height = height - needed + 1
            return place + 1, height, stack.write(height - 1, mask)

        _, height, stack = tf.while_loop(lambda place, *_: place < count, body, (0, 0, stack), parallel_iterations=1)
        check = tf.debugging.Assert(tf.equal(height, 1), ["The terms of the filter lack an `and` or `or`:", terms], 100)
        with tf.control_dependencies([check]):
            return stack.read(0)

    def _compared(self, term: Tensor) -> Tensor:
        """What `"name operator value"` lets through; a value may hold spaces."""
        parts = tf.strings.split(term, " ", maxsplit=2)
        comparisons = [
            (name, operator) for name in sorted(self._columns) for operator in _operators(self._columns[name])
        ]
        known = [" ".join(comparison) for comparison in comparisons]
        asked = tf.strings.reduce_join(parts[:2], separator=" ")
        place = tf.reduce_max(tf.where(tf.equal(asked, known), tf.range(len(known)), -1))
        message = ["A term of a filter is `column operator value`, of", known, "Received:", term]
        check = tf.debugging.Assert((place >= 0) & (tf.size(parts) == 3), message, summarize=100)
        with tf.control_dependencies([check]):
            value = parts[tf.minimum(2, tf.size(parts) - 1)]
        masks = [
            lambda name=name, operator=operator: self._column_mask(name, operator, value)
            for name, operator in comparisons
        ]
        return tf.ensure_shape(tf.switch_case(place, masks), [None])

    def _column_mask(self, name: str, operator: str, text: Tensor) -> Tensor:
        column = self._columns[name]
        if column.dtype.is_integer:
            column = tf.cast(column, tf.int64)  # any number that a filter can name
        if operator != HAS:
            mask = _COMPARE[operator](column, _value(text, column.dtype))
            if name not in self._nullable or not column.dtype.is_integer:
                return mask
            missing = tf.equal(column, MISSING["int"])
            return mask | missing if operator == "!=" else mask & ~missing
        found = tf.cast(tf.equal(column.values, _value(text, column.dtype)), tf.int32)
        before = tf.concat([[0], tf.cumsum(found)], axis=0)
        return tf.gather(before, column.row_splits[1:]) > tf.gather(before, column.row_splits[:-1])


def _operators(column: Tensor | tf.RaggedTensor) -> tuple[str, ...]:
    if isinstance(column, tf.RaggedTensor):
        return (HAS,)
    return EQUALITY if column.dtype in (tf.string, tf.bool) else OPERATORS


def _value(text: Tensor, dtype: tf.DType) -> Tensor:
    if dtype == tf.string:
        return text
    if dtype == tf.bool:
        check = tf.debugging.Assert(tf.reduce_any(tf.equal(text, _BOOLS)), ["A bool is one of", _BOOLS, text])
        with tf.control_dependencies([check]):
            return tf.equal(text, "True")
    return tf.strings.to_number(text, dtype)
