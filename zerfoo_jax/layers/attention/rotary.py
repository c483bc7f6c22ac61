"""Rotary position embedding (Su et al., RoFormer, arXiv 2104.09864)."""

from dataclasses import dataclass
from typing import Literal

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.attention.rotary_scaling import RotaryScalingSpec, rotary_frequencies
from zerfoo_jax.numeric import widened

Layout = Literal["half", "interleaved"]
"""Which features make a pair: i and i + dims/2 (GPT-NeoX, Llama), or 2i and 2i + 1 (GPT-J, the paper)."""


def rotary_embedding(
    x: Array,
    positions: Array | None = None,
    *,
    base: float = 10000.0,
    layout: Layout = "half",
    dims: int | None = None,
    scaling: RotaryScalingSpec | None = None,
) -> Array:
    """Turns pairs of features by an angle that grows with the position: pair i by position · base^(-2i/dims) radians.

    `x` is (batch, seq, heads, head_dim); `positions` is (seq,), by default 0, 1, ... Only the first `dims` features, by default
    all, are turned. `scaling` changes the frequencies for texts longer than those of the training, see `ROTARY_SCALINGS`.
    Raises `ShapeError` where the number of turned features is odd or more than there are.

    >>> rotary_embedding(jnp.ones((1, 2, 1, 2)), jnp.array([0, jnp.pi / 2]))[0, :, 0].round(3).tolist()
    [[1.0, 1.0], [-1.0, 1.0]]
    """
    _expect_turnable(x, dims)
    wide = widened(x)
    positions = jnp.arange(x.shape[1]) if positions is None else positions
    turned, rest = jnp.split(wide, [dims or x.shape[-1]], axis=-1)
    frequencies, magnitude = rotary_frequencies(turned.shape[-1], base, scaling)
    angles = (positions.astype(wide.dtype)[:, None] * jnp.asarray(frequencies, wide.dtype)[None, :])[None, :, None, :]
    cos, sin = magnitude * jnp.cos(angles), magnitude * jnp.sin(angles)
    half = turned.shape[-1] // 2
    pairs = turned.reshape(*turned.shape[:-1], *((2, half) if layout == "half" else (half, 2)))
    axis = -2 if layout == "half" else -1
    first, second = (lax.index_in_dim(pairs, i, axis, keepdims=False) for i in range(2))
    turned = jnp.stack([first * cos - second * sin, second * cos + first * sin], axis).reshape(turned.shape)
    return jnp.concatenate([turned, rest], axis=-1).astype(x.dtype)


@dataclass(frozen=True)
class RotaryPositions(Layer):
    """`rotary_embedding` as a layer, (batch, seq, heads, head_dim) -> the same, for the field `rotary` of `MultiHeadAttention`.

    Optional second input: the positions (seq,). `layout` "half" pairs features i and i + dims/2, "interleaved" 2i and 2i + 1.
    `scaling` is a member of `ROTARY_SCALINGS`, such as `{name: llama3, factor: 8.0, ...}`. No parameters.
    Raises `ConfigError` where `dims` is odd, and `ShapeError` where head_dim is, or is smaller than `dims`.

    >>> RotaryPositions().forward({}, jnp.ones((1, 2, 1, 2)), jnp.array([0, jnp.pi / 2]))[0, :, 0].round(3).tolist()
    [[1.0, 1.0], [-1.0, 1.0]]
    """

    base: PositiveFloat = 10000.0
    layout: Layout = "half"
    dims: PositiveInt | None = None
    scaling: RotaryScalingSpec | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dims and self.dims % 2:
            raise ConfigError(f"RotaryPositions.dims = {self.dims} is odd, and pairs are turned", fix="choose an even dims")
        rotary_frequencies(2, self.base, self.scaling)  # rules over several of the scaling's options

    def init(self, key: Array, x: Spec, positions: Spec | None = None) -> tuple[Params, State]:
        expect_axes(x, "batch seq heads head_dim")
        expect_floating(x)
        _expect_turnable(x, self.dims)
        return {}, {}

    def forward(self, params: Params, x: Array, positions: Array | None = None) -> Array:
        return rotary_embedding(x, positions, base=self.base, layout=self.layout, dims=self.dims, scaling=self.scaling)


def _expect_turnable(x: Array | Spec, dims: int | None) -> None:
    head_dim = x.shape[-1]
    if dims is not None and dims > head_dim:
        raise ShapeError(f"rotary embedding of dims = {dims} needs a head_dim not smaller, got {head_dim}", fix="lower dims")
    if (dims or head_dim) % 2:
        raise ShapeError(f"rotary embedding needs an even head_dim, got {head_dim}", fix="choose an even head_dim")
