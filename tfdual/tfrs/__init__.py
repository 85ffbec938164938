"""TensorFlow Recommenders' towers as a Retriever, and ours in its layers."""

from tfdual.tfrs.query_model import QueryModel
from tfdual.tfrs.retriever_of_towers import retriever_of_towers
from tfdual.tfrs.trained_tower import TrainedTower

__all__ = ["QueryModel", "TrainedTower", "retriever_of_towers"]
