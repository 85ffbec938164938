"""TextNegatives: the texts of all rows' lists, the batch's own recognised among them."""

import numpy as np
import pytest
import tensorflow as tf

from tfdual._items import Items
from tfdual.negatives import Batch, TextNegatives

OWN = tf.constant(["yes", "fine", "thanks"])
IDS = tf.constant([4, 9, 2], tf.int64)
RAGGED = tf.ragged.constant([["no", "yes"], [], ["fine", "no", "maybe"]])
PADDED = tf.constant([["no", "yes", ""], ["", "", ""], ["fine", "no", "maybe"]])


def drawn(lists: tf.Tensor, own: tf.Tensor = OWN, **options: bool) -> tuple[Items, list[str]]:
    """The items, and the texts that were encoded."""
    seen = []

    def encode_item(columns: dict) -> Items:
        assert sorted(columns) == ["answer", "item_id"]
        seen.extend(text.decode() for text in columns["answer"].numpy())
        return Items(tf.ones([tf.size(columns["answer"]), 2]), columns["item_id"])

    columns = {"others": lists, "answer": own, "item_id": IDS}
    step = Batch(columns, tf.ones([3, 2]), Items(tf.ones([3, 2]), IDS), encode_item)
    return TextNegatives("others", "answer", **options).draw(step), seen


@pytest.mark.parametrize("lists", [RAGGED, PADDED], ids=["ragged", "padded"])
def test_all_texts_are_encoded_and_padding_is_none(lists: tf.Tensor) -> None:
    items, seen = drawn(lists)
    mask = np.ones(len(seen), bool) if items.mask is None else items.mask.numpy()
    assert [text for text, there in zip(seen, mask, strict=True) if there] == ["no", "yes", "fine", "no", "maybe"]


def test_a_text_of_the_batch_has_its_id_and_others_have_ids_of_their_own() -> None:
    ids = drawn(RAGGED)[0].ids.numpy()
    assert ids[[1, 2]].tolist() == [4, 9]
    assert ids[0] == ids[3] < 0
    assert ids[4] < 0
    assert ids[4] != ids[0]


@pytest.mark.parametrize("lists", [RAGGED, PADDED], ids=["ragged", "padded"])
def test_what_is_not_shared_says_whose_it_is(lists: tf.Tensor) -> None:
    items, seen = drawn(lists, shared=False)
    named = [(text, row) for text, row in zip(seen, items.row.numpy().tolist(), strict=True) if text]
    assert named == [("no", 0), ("yes", 0), ("fine", 2), ("no", 2), ("maybe", 2)]
    assert drawn(lists)[0].row is None


def test_a_text_that_several_items_have_is_one_of_them() -> None:
    ids = drawn(tf.constant([["yes"], ["yes"], ["no"]]), tf.constant(["yes", "yes", "thanks"]))[0].ids.numpy()
    assert set(ids[:2].tolist()) <= {4, 9}
    assert ids[2] < 0


def test_lists_without_a_text_are_no_error() -> None:
    items, seen = drawn(tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.string), [0, 0, 0]))
    assert (seen, items.embedding.shape) == ([], (0, 2))


def test_a_batch_without_the_column_is_refused() -> None:
    step = Batch({"item_id": IDS}, tf.ones([3, 2]), Items(tf.ones([3, 2]), IDS), lambda columns: None)
    with pytest.raises(ValueError, match=r"lacks \['others', 'answer'\], and has \['item_id'\]"):
        TextNegatives("others", "answer").draw(step)


def test_the_config_makes_the_same() -> None:
    source = TextNegatives("a", "b", "c", shared=False, name="texts")
    assert TextNegatives.from_config(source.get_config()).get_config() == source.get_config()
