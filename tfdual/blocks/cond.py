"""One layer or another."""

from typing import Any

from keras import ops

from tfdual._build import build_once, serialized
from tfdual._register import register
from tfdual._typing import Shape, Tensor
from tfdual.blocks.block import Block, LayerLike

AnyShape = Shape | dict[str, Shape]


@register
class Cond(Block):
    """Apply `true` where a condition on the whole batch holds, else `false`.

    Args:
        condition: Keras layer from the input to one bool.
        true: Keras layer.
        false: Keras layer. Defaults to `None`: the input unchanged.

    Input: what all three take.
    Output: what `true` and `false` give, of one shape and type.

    Raises:
        ValueError: the two differ in shape.

    Example:
        >>> import keras
        >>> many = keras.layers.Lambda(lambda x: keras.ops.sum(x) > 10, output_shape=())
        >>> keras.ops.convert_to_numpy(Cond(many, keras.layers.Rescaling(2.0))(keras.ops.full((1, 2), 9.0))).tolist()
        [[18.0, 18.0]]
    """

    def __init__(self, condition: LayerLike, true: LayerLike, false: LayerLike | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.condition = self.parse(condition)
        self.true = self.parse(true)
        self.false = None if false is None else self.parse(false)

    def build(self, input_shape: AnyShape) -> None:
        build_once(self.condition, input_shape)
        build_once(self.true, input_shape)
        if self.false is not None:
            build_once(self.false, input_shape)
        true, false = self._shapes(input_shape)
        if true != false:
            raise ValueError(
                f"Both true and false branches must return the same output shape. They give {true} and {false}."
            )

    def call(self, inputs: Tensor | dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
        def otherwise() -> Tensor | dict[str, Tensor]:
            return inputs if self.false is None else self.false(inputs)

        return ops.cond(ops.cast(self.condition(inputs), "bool"), lambda: self.true(inputs), otherwise)

    def compute_output_shape(self, input_shape: AnyShape) -> AnyShape:
        return self._shapes(input_shape)[0]

    def _shapes(self, input_shape: AnyShape) -> tuple[AnyShape, AnyShape]:
        false = input_shape if self.false is None else self.false.compute_output_shape(input_shape)
        return _tuples(self.true.compute_output_shape(input_shape)), _tuples(false)

    def get_config(self) -> dict:
        return super().get_config() | serialized({name: getattr(self, name) for name in ("condition", "true", "false")})


def _tuples(shape: AnyShape) -> AnyShape:
    return {name: tuple(one) for name, one in shape.items()} if isinstance(shape, dict) else tuple(shape)
