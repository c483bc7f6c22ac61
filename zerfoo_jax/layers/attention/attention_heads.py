"""What all multi-head attention layers share: the projections into heads and back, and norms of queries and keys."""

from dataclasses import dataclass

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.layers.initializers import InitializerSpec


@dataclass(frozen=True)
class AttentionHeads(Layer):
    """The fields and projections of `MultiHeadAttention` and `CrossAttention`, described there."""

    num_heads: PositiveInt
    num_kv_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    use_bias: bool = True
    out_bias: bool | None = None
    qk_norm: Layer | None = None
    dropout: Probability = 0.0
    kernel_init: InitializerSpec = "lecun_normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_heads % self.kv_heads:
            raise ConfigError(
                f"{type(self).__name__}.num_heads = {self.num_heads} is not a multiple of num_kv_heads = {self.num_kv_heads}",
                fix="choose num_kv_heads as a divisor of num_heads",
            )

    @property
    def kv_heads(self) -> int:
        """How many heads keys and values have."""
        return self.num_kv_heads or self.num_heads

    def width(self, features: int) -> int:
        """The head_dim for queries from so many features; raises `ShapeError` where they do not divide."""
        if self.head_dim is None and features % self.num_heads:
            raise ShapeError(
                f"{type(self).__name__} got {features} features, not a multiple of num_heads = {self.num_heads}",
                fix="choose num_heads as a divisor of the features, or give head_dim",
            )
        return self.head_dim or features // self.num_heads

    def init_heads(self, key: Array, x: Spec, memory: Spec) -> Params:
        """Parameters for queries from `x` and keys and values from `memory`."""
        for sequence in (x, memory):
            expect_axes(sequence, "batch seq features")
            expect_floating(sequence)
        head_dim = self.width(x.shape[-1])
        joined = Spec((*x.shape[:2], self.num_heads * head_dim), x.dtype)
        sources = {"query": x, "key": memory, "value": memory, "out": joined}
        projections = self._projections(x.shape[-1])
        params = {name: projections[name].init(fold_in_name(key, name), spec)[0] for name, spec in sources.items()}
        if self.qk_norm:
            for name in ("query_norm", "key_norm"):
                heads = Spec((*x.shape[:2], self.num_heads, head_dim), x.dtype)
                params[name] = self.qk_norm.init(fold_in_name(key, name), heads)[0]
        return params

    def split(self, params: Params, name: str, x: Array, features: int) -> Array:
        """The `query`, `key` or `value` of every head, (batch, seq, heads, head_dim)."""
        y = self._projections(features)[name].forward(params[name], x)
        head_dim = self.width(features)
        y = y.reshape(*x.shape[:2], y.shape[-1] // head_dim, head_dim)
        return self.qk_norm.forward(params[f"{name}_norm"], y) if self.qk_norm and name != "value" else y

    def join(self, params: Params, y: Array, features: int) -> Array:
        """From what every head gives back to the features."""
        return self._projections(features)["out"].forward(params["out"], y.reshape(*y.shape[:2], y.shape[2] * y.shape[3]))

    def _projections(self, features: int) -> dict[str, Dense]:
        head_dim = self.width(features)
        widths = {"query": self.num_heads * head_dim, "key": self.kv_heads * head_dim, "value": self.kv_heads * head_dim}
        projections = {name: Dense(width, self.use_bias, self.kernel_init) for name, width in widths.items()}
        out_bias = self.use_bias if self.out_bias is None else self.out_bias
        return projections | {"out": Dense(features, out_bias, self.kernel_init)}
