"""Uniform: how often it draws what, with a gradient, and from which items."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.negatives.toy import batch, corpus, encoder, table
from tfdual._items import Items
from tfdual.negatives import Batch, Catalogue, Uniform


def test_every_item_is_drawn_as_often() -> None:
    source = Uniform(20_000, seed=1).adapt(corpus(50, batch=7))
    drawn = np.bincount(source.draw(batch([1])).ids, minlength=51)
    assert drawn[0] == 0
    assert stats.chisquare(drawn[1:]).pvalue > 0.001


def test_count_is_the_one_of_the_draws() -> None:
    source = Uniform(30).adapt(corpus(8))
    np.testing.assert_allclose(np.exp(source.log_count(np.array([1, 8]), None, 5)), [30 / 8, 30 / 8], rtol=1e-6)


def test_draws_are_encoded_with_a_gradient_and_their_own_columns() -> None:
    embeddings = tf.Variable(table(6))
    source = Uniform(9, seed=3).adapt(corpus(5, item_id_log_probability=-np.arange(1.0, 6.0, dtype="float32")))
    with tf.GradientTape() as tape:
        items = source.draw(batch([1], embeddings=embeddings))
        total = tf.reduce_sum(items.embedding)
    np.testing.assert_array_equal(items.embedding, table(6)[items.ids])
    np.testing.assert_array_equal(items.log_probability, -items.ids.numpy().astype("float32"))
    gradient = tf.convert_to_tensor(tape.gradient(total, embeddings)).numpy()[:, 0]
    np.testing.assert_array_equal(gradient, np.bincount(items.ids, minlength=6))


def test_the_seed_gives_the_draws_and_the_steps_differ() -> None:
    def drawn(seed: int) -> list[list[int]]:
        source = Uniform(20, seed=seed).adapt(corpus(30))
        return [source.draw(batch([1])).ids.numpy().tolist() for _ in range(2)]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert drawn(5)[0] != drawn(5)[1]


def test_graph_of_any_batch_size_draws_anew_each_time_and_as_eagerly() -> None:
    embeddings = tf.constant(table(31))
    source, eager = (Uniform(20, seed=5).adapt(corpus(30)) for _ in range(2))

    def draw(query: tf.Tensor) -> tf.Tensor:
        return source.draw(Batch({}, query, Items(query, tf.zeros_like(query[:, 0])), encoder(embeddings))).ids

    graph = tf.function(draw, input_signature=[tf.TensorSpec([None, 4])])
    for rows in (1, 3):
        assert graph(tf.zeros((rows, 4))).numpy().tolist() == eager.draw(batch([1])).ids.numpy().tolist()


def test_adapted_again_a_traced_graph_draws_from_the_new_items() -> None:
    source = Uniform(200, seed=5).adapt(corpus(3))
    graph = tf.function(lambda: source.draw(batch([1])).ids)
    assert set(graph().numpy()) == {1, 2, 3}
    source.adapt(corpus(5))
    assert set(graph().numpy()) == {1, 2, 3, 4, 5}
    np.testing.assert_allclose(np.exp(source.log_count(np.array([1]), None, 1)), [40], rtol=1e-6)


def test_sources_share_a_catalogue_and_draw_apart() -> None:
    catalogue = Catalogue([{"sku": np.arange(10, 14)}], item_id="sku")
    sources = [Uniform(1, seed=seed).adapt(catalogue) for seed in (1, 2)]
    for source in sources:
        assert float(source.log_count(np.array([10]), None, 1)[0]) == pytest.approx(np.log(1 / 4))
    sources[0].adapt(Catalogue([{"sku": np.arange(2)}], item_id="sku"))
    assert float(sources[1].log_count(np.array([10]), None, 1)[0]) == pytest.approx(np.log(1 / 4))


def test_items_are_no_parameters() -> None:
    source = Uniform(4).adapt(corpus(1000))
    source.build((None, 4))
    assert source.count_params() == 0
    assert source.weights == []


def test_used_before_adapt_it_says_so() -> None:
    with pytest.raises(ValueError, match=r"Uniform knows no items yet. Call `adapt\(items\)`"):
        Uniform(4).draw(batch([1]))
    with pytest.raises(ValueError, match="Uniform knows no items yet"):
        Uniform(4).log_count(np.array([1]), None, 1)


def test_count_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="count of at least 1. Received 0"):
        Uniform(0)
