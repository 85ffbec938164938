import pytest
import tensorflow as tf

from tfdual import ColumnSchema, Schema
from tfdual.blocks import Filter

INPUTS = {name: tf.constant([place]) for place, name in enumerate(["age", "sex", "zip"])}


def test_named_entries_pass_and_the_others_do_not() -> None:
    assert list(Filter(["zip", "age"])(INPUTS)) == ["age", "zip"]
    assert list(Filter(["zip", "age"], exclude=True)(INPUTS)) == ["sex"]
    assert list(Filter(Schema([ColumnSchema("sex")]))(INPUTS)) == ["sex"]


def test_tensors_pass_unchanged() -> None:
    assert Filter(["zip"])(INPUTS)["zip"] is INPUTS["zip"]
    assert Filter(["a"]).compute_output_shape({"a": (None, 2), "b": (None,)}) == {"a": (None, 2)}


@pytest.mark.parametrize("exclude", [False, True])
def test_name_that_is_not_there_is_refused(exclude: bool) -> None:
    with pytest.raises(ValueError, match=r"The input lacks \['income'\]. It has \['age', 'sex', 'zip'\]"):
        Filter(["age", "income"], exclude=exclude)(INPUTS)


@pytest.mark.parametrize("columns", ["age", []])
def test_filter_wants_a_list_of_names(columns: object) -> None:
    with pytest.raises(ValueError, match="needs a list of at least one name, or a Schema"):
        Filter(columns)
