"""NeighbourSampler: who is sampled, how often, and how it repeats."""

import numpy as np
import pytest
import tensorflow as tf

from tests.graph.small import small_graph
from tfdual.graph import Graph, NeighbourSampler

LIKES = ("user", "likes", "item")
BACK = "user/item>~likes"
FORTH = "user/item>~likes/user>likes"


def star(items: int = 10) -> Graph:
    """User 1 likes items 1 to `items`, user 2 likes item 3, user 3 nothing."""
    return Graph({"user": 4, "item": items + 1}, {LIKES: ([1] * items + [2], [*range(1, items + 1), 3])})


def sampled(sampler: NeighbourSampler, users: list[int]) -> dict[str, np.ndarray]:
    return {name: values.numpy() for name, values in sampler({"user": tf.constant(users)}).items()}


def test_few_neighbours_are_all_taken_and_none_is_minus_one() -> None:
    found = sampled(NeighbourSampler(star(), [3], ["user"], seed=0), [2, 3, 0, 9, -1])
    assert found[BACK].tolist() == [[3, -1, -1]] + [[-1, -1, -1]] * 4


def test_of_many_neighbours_different_ones_are_taken_each_as_often() -> None:
    sampler = NeighbourSampler(star(), [3], ["user"], seed=0)
    found = sampled(sampler, [1] * 4000)[BACK]
    assert all(len(set(row)) == 3 for row in found.tolist())
    counts = np.bincount(found.reshape(-1), minlength=11)
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:] / 4000, 0.3, atol=0.04)


def test_as_many_as_the_fan_out_are_all_taken() -> None:
    found = sampled(NeighbourSampler(star(), [10], ["user"], seed=0), [1])
    assert sorted(found[BACK][0].tolist()) == list(range(1, 11))


def test_neighbours_of_neighbours_are_sampled() -> None:
    found = sampled(NeighbourSampler(star(), [2, 2], ["user"], seed=0), [2, 3])
    assert found[FORTH].shape == (2, 2, 2)
    assert sorted(found[FORTH][0, 0].tolist()) == [1, 2]  # who likes item 3
    assert found[FORTH][0, 1].tolist() == found[FORTH][1, 0].tolist() == [-1, -1]


def test_each_relation_has_its_own_samples() -> None:
    found = NeighbourSampler(small_graph(), [2, 1], {"sku": "item"}, seed=0)({"sku": tf.constant([2])})
    assert {name: values.shape.as_list() for name, values in found.items() if name.count("/") == 1} == {
        "sku/user>bought": [1, 2],
        "sku/genre>~has": [1, 2],
        "sku/item>next": [1, 2],
        "sku/item>~next": [1, 2],
    }
    assert sorted(found["sku/user>bought"][0].numpy().tolist()) == [1, 2]
    assert found["sku/item>~next"].numpy().tolist() == [[3, -1]]
    assert found["sku/user>bought/item>~bought"].shape == (1, 2, 1)


def test_a_seed_repeats_the_samples_and_epochs_differ() -> None:
    def epochs(seed: int) -> list[list]:
        data = tf.data.Dataset.from_tensor_slices({"user": [1, 2, 1, 3]}).batch(2)
        data = data.map(NeighbourSampler(star(), [3], ["user"], seed))
        return [[batch[BACK].numpy().tolist() for batch in data] for _ in range(3)]

    first = epochs(5)
    assert first == epochs(5)
    assert first != epochs(6)
    assert first[0] != first[1]


def test_a_relation_without_edges_gives_no_neighbours() -> None:
    graph = Graph({"user": 2, "item": 3}, {LIKES: ([], [])})
    assert sampled(NeighbourSampler(graph, [2], ["user"]), [1])[BACK].tolist() == [[-1, -1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fan_outs": []}, "at least 1 neighbour"),
        ({"fan_outs": [3, 0]}, r"Received \[3, 0\]"),
        ({"columns": ["book"]}, r"no nodes of the types \['book'\]. It has \['item', 'user'\]"),
    ],
)
def test_bad_arguments_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NeighbourSampler(star(), **{"fan_outs": [2], "columns": ["user"]} | options)


def test_a_batch_without_the_column_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks 'user', to sample neighbours of. It has \['item'\]"):
        NeighbourSampler(star(), [2], ["user"])({"item": tf.constant([1])})
