"""How a query and an item become a score: what the architectures differ in, besides their encoders."""

from tfdual.interactions.inner_product import InnerProduct
from tfdual.interactions.interaction import Interaction
from tfdual.interactions.max_sim import MaxSim
from tfdual.interactions.poly_attention import PolyAttention

__all__ = ["InnerProduct", "Interaction", "MaxSim", "PolyAttention"]
