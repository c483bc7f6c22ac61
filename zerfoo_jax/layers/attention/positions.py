"""Vectors that tell positions apart, added to a sequence. (Rotary positions stand in `rotary.py`, ALiBi in `masks.py`.)"""

from dataclasses import dataclass

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.initializers import InitializerSpec, initialize
from zerfoo_jax.numeric import wide_dtype


def _expect_sequence(x: Spec) -> None:
    expect_axes(x, "batch seq features")
    expect_floating(x)


def _start(counting: bool) -> State:
    return {"position": jnp.zeros((), jnp.int32)} if counting else {}


def _positions(state: State, seq: int, train: bool) -> tuple[Array, State]:
    """The positions of `seq` further tokens, and the state behind them. Training sees whole sequences and counts nothing."""
    if "position" not in state or train:
        return jnp.arange(seq), state
    return state["position"] + jnp.arange(seq), {"position": state["position"] + seq}


@dataclass(frozen=True)
class LearnedPositions(Layer):
    """y_t = x_t + P_t: a learned vector for each position, (batch, seq, features), seq at most `max_length`.

    With `counting` (see `with_cache`) the first position is not 0 but the number of those seen before, kept in the state; past
    the table the output is NaN.

    Parameters: `embedding` (max_length, features). State with `counting`: `position` (int32).
    Raises `ShapeError` for longer sequences.

    >>> LearnedPositions(2).apply({"embedding": jnp.array([[1.0], [2.0]])}, {}, jnp.zeros((1, 2, 1)))[0].tolist()
    [[[1.0], [2.0]]]
    """

    max_length: PositiveInt
    counting: bool = False
    embedding_init: InitializerSpec = "normal"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        _expect_sequence(x)
        self._expect_length(x)
        table = initialize(self.embedding_init, key, (self.max_length, x.shape[-1]), x.dtype)
        return {"embedding": table}, _start(self.counting)

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        self._expect_length(x)
        positions, state = _positions(state, x.shape[1], train)
        return x + params["embedding"].at[positions].get(mode="fill", fill_value=jnp.nan)[None], state

    def _expect_length(self, x: Array | Spec) -> None:
        if x.shape[1] > self.max_length:
            raise ShapeError(
                f"LearnedPositions got a sequence of {x.shape[1]} positions, over max_length = {self.max_length}",
                fix="give a larger max_length, or shorter sequences",
            )


@dataclass(frozen=True)
class SinusoidalPositions(Layer):
    """y_t = x_t + [sin(t ω_0), cos(t ω_0), sin(t ω_1), ...], ω_i = base^(-2i / features) (Vaswani et al., arXiv 1706.03762).

    (batch, seq, features) -> the same; of an odd number of features the last holds a sine. `counting` as in
    `LearnedPositions`. No parameters. State with `counting`: `position` (int32).

    >>> SinusoidalPositions().apply({}, {}, jnp.zeros((1, 2, 2)))[0].round(3).tolist()
    [[[0.0, 1.0], [0.8410000205039978, 0.5400000214576721]]]
    """

    base: PositiveFloat = 10000.0
    counting: bool = False

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        _expect_sequence(x)
        return {}, _start(self.counting)

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        positions, state = _positions(state, x.shape[1], train)
        features, dtype = x.shape[-1], wide_dtype(x.dtype)
        frequencies = self.base ** (-jnp.arange(0, features, 2, dtype=dtype) / features)
        angles = positions.astype(dtype)[:, None] * frequencies[None]
        waves = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(x.shape[1], -1)[:, :features]
        return x + waves.astype(x.dtype)[None], state
