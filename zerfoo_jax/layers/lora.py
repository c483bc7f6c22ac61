"""Fine-tuning by a low-rank change of a dense layer (Hu et al., arXiv 2106.09685)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.types import Array, Params, State, Tree
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.layers.dropout import Dropout
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class LoRA(Composite):
    """y = dense(x) + (alpha / rank) · drop(x) A B: a trained change of low rank beside a dense layer that stays as it is.

    B starts at 0, so that a new LoRA computes what its `dense` does. No gradient reaches the dense layer's own parameters;
    what changes parameters without one, such as weight decay, should leave `base` out. `dropout` acts on the input of A in
    training. `merge_lora` gives the plain dense layer.

    Parameters: `base`, those of `dense`; `down` with `kernel` A (in, rank); `up` with `kernel` B (rank, features).
    Raises `ConfigError` for any other layer than a `Dense`.

    >>> import jax
    >>> params, state = LoRA(Dense(3), rank=2, alpha=4.0).init(jax.random.key(0), jnp.ones((1, 5)))
    >>> params["down"]["kernel"].shape, params["up"]["kernel"].tolist()
    ((5, 2), [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    """

    dense: Layer
    rank: PositiveInt
    alpha: PositiveFloat
    dropout: Probability = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.dense, Dense):
            raise ConfigError(f"LoRA.dense = {self.dense!r} is not a Dense", fix="wrap the dense layers inside it one by one")

    def children(self) -> Mapping[str, Layer]:
        assert isinstance(self.dense, Dense)
        return {
            "base": self.dense,
            "dropout": Dropout(self.dropout),
            "down": Dense(self.rank, use_bias=False),
            "up": Dense(self.dense.features, use_bias=False, kernel_init="zeros"),
        }

    def connect(self, call: Callable[..., Tree], x: Array) -> Tree:
        return call("base", x) + self.scale() * call("up", call("down", call("dropout", x)))

    def apply(self, params: Params, state: State, *xs: Any, **mode: Any) -> tuple[Tree, State]:
        return super().apply({**params, "base": lax.stop_gradient(params["base"])}, state, *xs, **mode)

    def scale(self) -> float:
        """The factor alpha / rank of the change."""
        return self.alpha / self.rank


def merge_lora(layer: LoRA, params: Params) -> tuple[Layer, Params]:
    """The dense layer and its parameters with the change added to the kernel, K + (alpha / rank) A B.

    >>> layer, params = LoRA(Dense(1, use_bias=False), 1, 2.0), {"base": {"kernel": jnp.ones((1, 1))}}
    >>> merge_lora(layer, {**params, "down": {"kernel": jnp.full((1, 1), 3.0)}, "up": {"kernel": jnp.full((1, 1), 5.0)}})[1]
    {'kernel': Array([[31.]], dtype=float32)}
    """
    down, up, kernel = params["down"]["kernel"], params["up"]["kernel"], params["base"]["kernel"]
    change = layer.scale() * jnp.matmul(widened(down), widened(up), precision=lax.Precision.HIGHEST)
    return layer.dense, {**params["base"], "kernel": (widened(kernel) + change).astype(kernel.dtype)}
