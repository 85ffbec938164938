"""A LightGCN propagation: tfdual's sparse product beside scipy's CSR and TensorFlow's own, in one process.

    python benchmarks/graph_propagation.py [--layers 3] [--dim 64] [--rounds 9] [--others] [--out FILE]
    python benchmarks/graph_propagation.py --rounds 1 --out /tmp/smoke.json     # does it run?

Gowalla's training rows, both ways. `forward` is the mean of all layers; `both` adds its gradient by the initial
vectors. scipy multiplies by the same symmetric matrix once a layer for each. Variants take turns; `times` is the median
of scipy's time by the variant's in the same round.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse
import tensorflow as tf
from harness import HERE, write_report
from rich import box
from rich.console import Console
from rich.table import Table

from tfdual.graph import Graph, LightGCN
from tfdual.graph.plan import Plan
from tfdual.graph.propagate import over_all_nodes
from tfdual.graph.stored_graph import StoredGraph

SCIPY, OURS = "scipy CSR", "tfdual"
Run = Callable[[], list[np.ndarray]]


def gowalla(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of the training rows, the most frequent first, as a vocabulary has them."""
    rows = pq.read_table(folder / "train.parquet")

    def ranked(name: str) -> np.ndarray:
        values = np.asarray(rows[name])
        order = np.argsort(-np.bincount(values), kind="stable")
        return np.argsort(order)[values]

    return ranked("user_id"), ranked("item_id")


def symmetric(users: np.ndarray, items: np.ndarray) -> scipy.sparse.csr_matrix:
    """The normalised matrix of all nodes, users first."""
    count = users.max() + 1
    ends = np.concatenate([users, count + items]), np.concatenate([count + items, users])
    size = count + items.max() + 1
    matrix = scipy.sparse.csr_matrix((np.ones(len(ends[0]), np.float32), ends), (size, size))
    scale = scipy.sparse.diags(1 / np.sqrt(np.maximum(matrix.sum(axis=1).A1, 1)).astype(np.float32))
    return (scale @ matrix @ scale).tocsr().astype(np.float32)


def scipy_run(matrix: scipy.sparse.csr_matrix, start: np.ndarray, layers: int, both: bool) -> Run:
    """The mean of all layers; and once more for the gradient."""

    def mean(vectors: np.ndarray) -> np.ndarray:
        total = vectors.copy()
        for _ in range(layers):
            vectors = matrix @ vectors
            total += vectors
        return total / (layers + 1)

    return (lambda: [mean(mean(start))]) if both else (lambda: [mean(start)])


def ours_run(users: np.ndarray, items: np.ndarray, start: np.ndarray, layers: int, both: bool) -> Run:
    """The same by `over_all_nodes`; users and items are two tables."""
    nodes = {"user": int(users.max()) + 1, "item": int(items.max()) + 1}
    graph = Graph(nodes, {("user", "did", "item"): (users, items)})
    encoder = LightGCN(layers)
    stored = StoredGraph(graph, encoder)
    plan = Plan(graph.relations, list(nodes), layers)

    def mean(vectors: list[tf.Tensor]) -> list[tf.Tensor]:
        found = over_all_nodes(encoder, stored, plan, dict(zip(nodes, vectors, strict=True)), True)
        return [encoder.finish([layer[name] for layer in found]) for name in nodes]

    return in_graph(mean, np.split(start, [nodes["user"]]), both)


def tensorflow_run(matrix: scipy.sparse.csr_matrix, start: np.ndarray, layers: int, both: bool, how: str) -> Run:
    """The same by an operator of TensorFlow, with TensorFlow's own gradient of it."""
    coo = matrix.tocoo()
    rows, columns, values = tf.constant(coo.row), tf.constant(coo.col), tf.constant(coo.data)
    indices = tf.stack([tf.cast(rows, tf.int64), tf.cast(columns, tf.int64)], 1)
    sparse = tf.sparse.SparseTensor(indices, values, matrix.shape)

    def product(vectors: tf.Tensor) -> tf.Tensor:
        if how == "sparse_dense_matmul":
            return tf.sparse.sparse_dense_matmul(sparse, vectors)
        if how == "SparseMatrixMatMul":
            made = tf.raw_ops.SparseTensorToCSRSparseMatrix(
                indices=indices, values=values, dense_shape=tf.constant(matrix.shape, tf.int64)
            )
            return tf.raw_ops.SparseMatrixMatMul(a=made, b=vectors)
        return tf.math.segment_sum(tf.gather(vectors, columns) * values[:, None], rows)

    def mean(vectors: tf.Tensor) -> tf.Tensor:
        total = vectors
        for _ in range(layers):
            vectors = product(vectors)
            total += vectors
        return total / (layers + 1)

    return in_graph(lambda vectors: [mean(vectors[0])], [start], both)


def in_graph(mean: Callable[[list[tf.Tensor]], list[tf.Tensor]], start: list[np.ndarray], both: bool) -> Run:
    """A function of TensorFlow, or its gradient with itself as what comes from above, which scipy is given too."""
    variables = [tf.Variable(part) for part in start]

    @tf.function
    def run() -> list[tf.Tensor]:
        if not both:
            return mean([variable.read_value() for variable in variables])
        with tf.GradientTape() as tape:
            found = mean([variable.read_value() for variable in variables])
        return tape.gradient(found, variables, output_gradients=found)

    return lambda: [part.numpy() for part in run()]


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--others", action="store_true", help="TensorFlow's operators too")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "graph_propagation.json")
    chosen, console, load_before = parser.parse_args(), Console(), os.getloadavg()[0]
    folder = Path(os.environ.get("TFDUAL_DATA", HERE.parents[1] / "shared" / "data")) / "gowalla"
    if not folder.exists():
        raise SystemExit(f"There is no {folder}. Set TFDUAL_DATA to the folder that holds gowalla/.")
    users, items = gowalla(folder)
    matrix = symmetric(users, items)
    start = np.random.default_rng(0).normal(size=(matrix.shape[0], chosen.dim)).astype(np.float32)
    results = {}
    for name, both in (("forward", False), ("both", True)):
        runs = {
            SCIPY: scipy_run(matrix, start, chosen.layers, both),
            OURS: ours_run(users, items, start, chosen.layers, both),
        }
        for how in ("sparse_dense_matmul", "SparseMatrixMatMul", "gather, segment_sum") if chosen.others else ():
            runs[how] = tensorflow_run(matrix, start, chosen.layers, both, how)
        results[name] = measured(runs, chosen.rounds)
        console.print(shown(results[name], f"{name}, {matrix.nnz:,} edges, {chosen.layers} layers, dim {chosen.dim}"))
    settings = {"layers": chosen.layers, "dim": chosen.dim, "rounds": chosen.rounds, "edges": int(matrix.nnz)}
    write_report(chosen.out, "graph_propagation", load_before, settings, results=results)
    console.print(f"Written: {chosen.out}")


def measured(runs: dict[str, Run], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each, and how often it fits into scipy's; all must give what scipy gives."""
    wanted = np.concatenate(runs[SCIPY]())
    for name, run in runs.items():
        difference = float(np.abs(np.concatenate(run()) - wanted).max())
        if not difference < 1e-4:
            raise SystemExit(f"{name} gives something else than scipy: up to {difference} off.")
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - started))
    return {
        name: {
            "ms": round(median(own), 1),
            "least": round(min(own), 1),
            "times": round(median(base / one for base, one in zip(times[SCIPY], own, strict=True)), 2),
        }
        for name, own in times.items()
    }


def shown(results: dict[str, dict[str, float]], title: str) -> Table:
    """For people."""
    table = Table("variant", title=title, title_justify="left", box=box.SIMPLE)
    for heading in ("ms", "least", "times faster than scipy"):
        table.add_column(heading, justify="right")
    for name, result in results.items():
        table.add_row(name, f"{result['ms']:,.0f}", f"{result['least']:,.0f}", f"{result['times']:.2f}")
    return table


if __name__ == "__main__":
    main()
