"""How a query and an item become a score: what the architectures differ in, besides their encoders."""

from tfdual.interactions.inner_product import InnerProduct
from tfdual.interactions.interaction import Interaction

__all__ = ["InnerProduct", "Interaction"]
