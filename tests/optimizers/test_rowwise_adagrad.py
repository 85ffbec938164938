"""RowwiseAdagrad against its formula row by row in NumPy, and against Keras's Adagrad for width 1."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tests.optimizers.sparse_gradients import ROWS, after, dense, slots, sparse, table
from tfdual.blocks import TransformerBlock
from tfdual.features import EmbeddingTable, HashedTable, QuotientRemainderTable
from tfdual.features.text import TextTransformer
from tfdual.fusion import AttentionFusion
from tfdual.optimizers import RowwiseAdagrad

BATCHES = [[1, 1, 4], [4, 0, 4, 4], [1, 2]]


def test_rows_of_a_sparse_gradient_share_one_accumulator_each() -> None:
    values, accumulators = table().numpy().astype("float64"), np.full(ROWS, 0.2)
    for step, rows in enumerate(BATCHES):
        gradient = dense(sparse(rows, seed=step)).numpy()
        for row in set(rows):
            accumulators[row] += np.mean(gradient[row] ** 2)
            values[row] -= 0.1 * gradient[row] / np.sqrt(accumulators[row] + 1e-3)
    optimizer = RowwiseAdagrad(0.1, initial_accumulator_value=0.2, epsilon=1e-3)
    found = after(optimizer, [sparse(rows, seed=step) for step, rows in enumerate(BATCHES)])
    np.testing.assert_allclose(found, values, rtol=1e-5)
    np.testing.assert_allclose(slots(optimizer)["accumulator"], accumulators[:, None], rtol=1e-5)


def test_dense_gradient_of_a_table_gives_the_rows_the_same() -> None:
    gradients = [sparse(rows, seed=step) for step, rows in enumerate(BATCHES)]
    found = after(RowwiseAdagrad(0.1), [dense(gradient) for gradient in gradients])
    np.testing.assert_allclose(found, after(RowwiseAdagrad(0.1), gradients), rtol=1e-5)


def test_table_of_width_1_gives_keras_adagrad() -> None:
    gradients = [sparse([5, 4, 3, 2, 1, 0, 3, 3], seed, width=1) for seed in range(5)]
    wanted = after(keras.optimizers.Adagrad(0.1), [dense(gradient) for gradient in gradients])
    np.testing.assert_allclose(after(RowwiseAdagrad(0.1), gradients), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    "tables, shapes",
    [
        ("*embeddings", [(6, 1), (4, 2), (4,), (5, 1, 1)]),
        ("*", [(6, 1), (4, 1), (4,), (5, 1, 1)]),
        ("*_table/embeddings", [(6, 3), (4, 2), (4,), (5, 2, 3)]),
    ],
)
def test_tables_are_told_by_path_and_axes(tables: str, shapes: list) -> None:
    variables = [
        table(),
        keras.Variable(np.ones((4, 2), "float32"), name="kernel"),
        keras.Variable(np.ones(4, "float32"), name="bias_embeddings"),
        keras.Variable(np.ones((5, 2, 3), "float32"), name="embeddings"),
    ]
    optimizer = RowwiseAdagrad(tables=tables)
    optimizer.build(variables)
    assert [tuple(variable.shape) for variable in optimizer.variables[2:]] == shapes


TABLES = {
    "keras": lambda: keras.layers.Embedding(6, 4),
    "embedding": lambda: EmbeddingTable(6, 4),
    "hashed": lambda: HashedTable(6, 4, num_rows=6),
    "quotient and remainder": lambda: QuotientRemainderTable(6, 4),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_tables_of_layers_are_tables(make: Callable[[], keras.layers.Layer]) -> None:
    layer, optimizer = make(), RowwiseAdagrad()
    layer.build(None)
    optimizer.build([layer.embeddings])
    assert tuple(optimizer.variables[-1].shape) == (layer.embeddings.shape[0], 1)


def test_dense_weights_that_are_called_embeddings_are_no_tables() -> None:
    fusion, block = AttentionFusion(num_heads=2), TransformerBlock(num_heads=2)
    fusion.build({"age": (None, 4), "bio": (None, 4)})
    block.build((None, 2, 4))
    optimizer = RowwiseAdagrad()
    optimizer.build([fusion.feature_embeddings, block.place_embeddings])
    assert [tuple(variable.shape) for variable in optimizer.variables[2:]] == [(2, 4), (2, 4)]


def test_tokens_of_a_text_encoder_are_a_table_where_they_are_named() -> None:
    transformer = TextTransformer(9, num_layers=1, num_heads=2, dim=4, feed_forward_dim=8, trainable_layers="all")
    transformer.build()
    shapes = []
    for tables in ("*/embeddings", "*/tokens"):
        optimizer = RowwiseAdagrad(tables=tables)
        optimizer.build([transformer.tokens, transformer.positions])
        shapes.append([tuple(variable.shape) for variable in optimizer.variables[2:]])
    assert shapes == [[(9, 4), (512, 4)], [(9, 1), (512, 4)]]


def test_rows_of_several_axes_share_one_accumulator() -> None:
    variable = keras.Variable(np.ones((2, 2, 2), "float32"), name="embeddings")
    gradient = np.arange(8, dtype="float32").reshape(2, 2, 2)
    RowwiseAdagrad(1.0, initial_accumulator_value=0.0, tables="embeddings").apply([gradient], [variable])
    wanted = [1 - gradient[row] / np.sqrt(np.mean(gradient[row] ** 2)) for row in range(2)]
    np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-5)


def test_negative_start_is_refused() -> None:
    with pytest.raises(ValueError, match="Received initial_accumulator_value=-1"):
        RowwiseAdagrad(initial_accumulator_value=-1.0)
