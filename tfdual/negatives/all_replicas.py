"""Items of all replicas of a `tf.distribute` strategy."""

from keras import ops

from tfdual._backend import gathered
from tfdual._items import Items


def items_of_all_replicas(items: Items) -> Items:
    """The items that each replica gives, in the order of the replicas; they have no `row`."""
    log_probability = None if items.log_probability is None else gathered(items.log_probability)
    mask = None if items.mask is None else ops.cast(gathered(ops.cast(items.mask, "int32")), "bool")
    return Items(gathered(items.embedding), gathered(items.ids), log_probability, mask)
