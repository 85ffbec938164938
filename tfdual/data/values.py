"""Values of any type to exactly the type that a schema names, or the reason why not."""

import json
import math
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfdual.data.arrow_types import is_list, is_text, is_time
from tfdual.schema.iso_times import iso_seconds, iso_times

Problems = dict[str, np.ndarray]
_TRUE, _FALSE = {"true", "1", "t", "yes"}, {"false", "0", "f", "no"}
_WORDS = {"true": 1.0, "false": 0.0}
_SECONDS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_INT64_DIGITS = 19
_FLOAT32_OVERFLOW = 2.0**128 - 2.0**103  # From here on, a number is rounded to infinity.


class Unfit(Exception):
    """A value that can't become another type; the message is the rule that it breaks."""


def convert(array: pa.Array, target: pa.DataType, of_time: bool = False) -> tuple[pa.Array, Problems]:
    """Cast single values without loss of meaning.

    Text becomes numbers where it is one; times become seconds since 1970, durations seconds; bools, also the words
    true and false, become 0 and 1 where floats are wanted; floats may lose digits, integers never. Nothing becomes text
    that isn't.

    Args:
        array: pyarrow.Array of single values.
        target: pyarrow.DataType. Number, bool or string.
        of_time: bool. Numbers are seconds, so that text may spell a time as ISO 8601. Defaults to `False`.

    Returns:
        The array in the type `target`, null where a value doesn't fit, and rule -> positions of those values. An empty
        text where a number or bool is wanted breaks the rule "null".
    """
    if is_time(array.type):
        array = _seconds(array)
    try:
        converted = _cast(array, target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        converted = None
    if converted is not None:
        return converted, {}
    of_time = of_time and is_text(array.type) and not pa.types.is_string(target)
    if of_time and (times := iso_times(array)) is not None:
        return convert(times, target)
    return _one_by_one(array, target, of_time)


def fitted(value: Any, target: pa.DataType, of_time: bool = False) -> Any:
    """A Python value as `target` wants it; lists and structs too. Text is no number here, and a number no bool.

    Args:
        value: any. What JSON or a database holds.
        target: pyarrow.DataType.
        of_time: bool. A single value is a time, which text may spell; an empty one is missing. Defaults to `False`.

    Raises:
        Unfit: the value can't become that; the message is a rule.
    """
    if value is None:
        return None
    if of_time and isinstance(value, str):
        return _time_converter(_scalar_converter(target))(value) if value.strip() else None
    if is_list(target):
        if not isinstance(value, list | tuple | np.ndarray):
            raise Unfit("dtype")
        return [fitted(each, target.value_type) for each in value]
    if pa.types.is_struct(target):
        if not isinstance(value, dict):
            raise Unfit("dtype")
        return {field.name: fitted(value.get(field.name), field.type) for field in target}
    if isinstance(value, str | bytes) != pa.types.is_string(target):
        raise Unfit("dtype")
    if pa.types.is_boolean(target) and not isinstance(value, bool | np.bool_):
        raise Unfit("dtype")
    return _scalar_converter(target)(value)


def lists_from_text(array: pa.Array, delimiter: str | None) -> tuple[pa.Array, Problems]:
    """Lists that stand in a text column: delimited, or as JSON where there is no delimiter.

    Returns:
        An array of lists of strings, null where the text is missing or empty, and rule -> positions of what is no
        list.
    """
    array, problems = convert(array, pa.string())
    if delimiter is None:
        lists, wrong = _each(array.to_pylist(), _json_list)
        return pa.array(lists, pa.list_(pa.string())), problems | wrong
    lists = pc.split_pattern(array, delimiter)
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, lists.type), lists), problems


def _json_list(text: str) -> list[str | None] | None:
    if not text.strip():
        return None
    try:
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Unfit("dtype") from error
    if not isinstance(found, list) or any(isinstance(each, list | dict) for each in found):
        raise Unfit("dtype")
    return [None if each is None else _to_text(each if isinstance(each, str) else json.dumps(each)) for each in found]


def _seconds(array: pa.Array) -> pa.Array:
    """Times as seconds: int64 where they are whole, else float64."""
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("s"), safe=False)
    per_second = _SECONDS[array.type.unit]
    ticks = array.cast(pa.int64())
    whole = pc.divide(ticks, per_second)
    if per_second == 1 or pc.all(pc.equal(pc.multiply(whole, per_second), ticks)).as_py() is not False:
        return whole
    return pc.divide(ticks.cast(pa.float64(), safe=False), float(per_second))


def _cast(array: pa.Array, target: pa.DataType) -> pa.Array | None:
    """Arrow's cast, which is fast; None where it may mean another thing than `convert`."""
    if pa.types.is_null(array.type) or (pa.types.is_boolean(target) and pa.types.is_boolean(array.type)):
        return array.cast(target)
    text = is_text(array.type)
    if pa.types.is_string(target):
        if not text:
            return None
        converted = array.cast(target)
        converted.validate(full=True)
        return converted
    if pa.types.is_boolean(target) or (pa.types.is_boolean(array.type) and pa.types.is_integer(target)):
        return None
    if text and pa.types.is_integer(target) and _holds_hexadecimals(array):
        return None
    if pa.types.is_decimal(array.type) and pa.types.is_floating(target):
        array = array.cast(pa.string())  # the nearest float; of decimals Arrow gives one beside it
    converted = array.cast(target, safe=not pa.types.is_floating(target))
    if (
        pa.types.is_float32(target)
        and array.type != target
        and np.isinf(converted.to_numpy(zero_copy_only=False)).any()
    ):
        return None
    return converted


def _holds_hexadecimals(array: pa.Array) -> bool:
    text = array.cast(pa.large_binary()).buffers()[2]
    found = text.to_pybytes() if text is not None else b""
    return b"x" in found or b"X" in found


def _one_by_one(array: pa.Array, target: pa.DataType, of_time: bool) -> tuple[pa.Array, Problems]:
    if is_text(array.type):
        array = array.cast(pa.large_binary())
    elif not (pa.types.is_primitive(array.type) or pa.types.is_decimal(array.type)) or pa.types.is_temporal(array.type):
        wrong = np.flatnonzero(array.is_valid().to_numpy(zero_copy_only=False))
        return pa.nulls(len(array), target), {"dtype": wrong} if len(wrong) else {}
    converter = _scalar_converter(target)
    values, problems = _each(array.to_pylist(), _time_converter(converter) if of_time else converter)
    return pa.array(values, target), problems


def _each(values: Iterable[Any], converter: Callable[[Any], Any]) -> tuple[list[Any], Problems]:
    converted: list[Any] = []
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        try:
            converted.append(None if value is None else converter(value))
        except Unfit as rule:
            converted.append(None)
            rows.setdefault(str(rule), []).append(row)
    return converted, {rule: np.array(each) for rule, each in rows.items()}


def _scalar_converter(target: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_string(target):
        return _to_text
    if pa.types.is_boolean(target):
        return _to_bool
    if pa.types.is_integer(target):
        limit = 2 ** (target.bit_width - 1)
        return lambda value: _to_integer(value, limit)
    limit = _FLOAT32_OVERFLOW if pa.types.is_float32(target) else math.inf
    return lambda value: _to_float(value, limit)


def _time_converter(number: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Of texts, each a number or a time."""

    def converter(text: str | bytes) -> Any:
        try:
            return number(_written_seconds(_number_text(text)))
        except ValueError as error:
            raise Unfit("dtype") from error

    return converter


def _written_seconds(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return iso_seconds(text)


def _to_text(value: Any) -> str:
    if not isinstance(value, str | bytes):
        raise Unfit("dtype")
    try:
        return value.decode() if isinstance(value, bytes) else value.encode().decode()
    except UnicodeError as error:
        raise Unfit("utf-8") from error


def _number_text(value: str | bytes) -> str:
    """The text without spaces around it; Python's own notations, such as 1_000, are no number."""
    text = _to_text(value).strip()
    if not text:
        raise Unfit("null")
    if "_" in text or not text.isascii():
        raise Unfit("dtype")
    return text


def _to_bool(value: Any) -> bool:
    word = _number_text(value).lower() if isinstance(value, str | bytes) else str(value).lower()
    if word not in _TRUE | _FALSE:
        raise Unfit("dtype")
    return word in _TRUE


def _to_integer(value: Any, limit: int) -> int:
    if isinstance(value, bool | np.bool_):
        raise Unfit("dtype")
    if isinstance(value, str | bytes):
        value = _number_text(value)
    try:
        whole = int(value) if isinstance(value, int) or _is_digits(value) else _whole(Decimal(value))
    except (TypeError, ValueError, InvalidOperation) as error:
        raise Unfit("dtype") from error
    if not -limit <= whole < limit:
        raise Unfit("overflow")
    return whole


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _INT64_DIGITS and value.isdigit()


def _whole(number: Decimal) -> int:
    if number.is_finite() and number and number.adjusted() >= _INT64_DIGITS:
        raise Unfit("overflow")
    if not number.is_finite() or number % 1:
        raise Unfit("dtype")
    return int(number)


def _to_float(value: Any, limit: float) -> float:
    if isinstance(value, str | bytes):
        text = _number_text(value)
        value = _WORDS.get(text.lower(), text)
    try:
        number = float(value)
    except OverflowError as error:
        raise Unfit("overflow") from error
    except (TypeError, ValueError) as error:
        raise Unfit("dtype") from error
    if limit <= abs(number) < math.inf:
        raise Unfit("overflow")
    return number
