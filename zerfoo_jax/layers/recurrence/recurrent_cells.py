"""One step of a recurrent layer, forwards and backwards, without its matrix products: what `recurrence.run` repeats.

A cell sees the projected input p = x W + b and the recurrent product a = h U, one block of columns per gate, and its running
states, of which the first is the output h. All are (batch, ...) in float32 or wider.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from zerfoo_jax.core.types import Array

States = tuple[Array, ...]


class Cell(NamedTuple):
    """`advance(p, a, states) -> (new states, saved)` and its derivative.

    `retreat(saved, d_states) -> (d_p, d_old)` takes the gradients of the new states to those of p and of the old states, not
    counting what passes through a; `recurrent(d_p, saved)` is the gradient of a.
    """

    gates: int
    states: int
    advance: Callable[[Array, Array, States], tuple[States, Any]]
    retreat: Callable[[Any, States], tuple[Array, States]]
    recurrent: Callable[[Array, Any], Array]


def _same(d_p: Array, saved: Any) -> Array:
    """The gradient of a where a cell sees only p + a."""
    del saved
    return d_p


def _sigmoid(x: Array) -> Array:
    # XLA's tanh on a CPU takes two thirds of the time of its logistic function.
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def _tanh_advance(p: Array, a: Array, states: States) -> tuple[States, Array]:
    h = jnp.tanh(p + a)
    return (h,), h


def _tanh_retreat(h: Array, d: States) -> tuple[Array, States]:
    return d[0] * (1 - h * h), (jnp.zeros_like(h),)


def _relu_advance(p: Array, a: Array, states: States) -> tuple[States, Array]:
    h = jnp.maximum(p + a, 0)
    return (h,), h


def _relu_retreat(h: Array, d: States) -> tuple[Array, States]:
    return jnp.where(h > 0, d[0], 0), (jnp.zeros_like(h),)


def _lstm_advance(p: Array, a: Array, states: States) -> tuple[States, Any]:
    c = states[1]
    i, f, g, o = jnp.split(p + a, 4, axis=-1)
    # One tanh over all gates: σ(x) = tanh(x / 2) / 2 + 1 / 2.
    gates = jnp.tanh(jnp.concatenate([0.5 * i, 0.5 * f, g, 0.5 * o], axis=-1))
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    i, f, o = 0.5 * i + 0.5, 0.5 * f + 0.5, 0.5 * o + 0.5
    new = f * c + i * g
    t = jnp.tanh(new)
    return (o * t, new), (i, f, g, o, c, t)


def _lstm_retreat(saved: Any, d: States) -> tuple[Array, States]:
    (i, f, g, o, c, t), (d_h, d_c) = saved, d
    d_c = d_c + d_h * o * (1 - t * t)
    d_p = [d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g * g), d_h * t * o * (1 - o)]
    return jnp.concatenate(d_p, axis=-1), (jnp.zeros_like(d_h), d_c * f)


def _gru_advance(p: Array, a: Array, states: States) -> tuple[States, Any]:
    (h,) = states
    p_r, p_z, p_n = jnp.split(p, 3, axis=-1)
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    r, z = _sigmoid(p_r + a_r), _sigmoid(p_z + a_z)
    n = jnp.tanh(p_n + r * a_n)
    return (n + z * (h - n),), (r, z, n, a_n, h)


def _gru_retreat(saved: Any, d: States) -> tuple[Array, States]:
    (r, z, n, a_n, h), (d_h,) = saved, d
    d_n = d_h * (1 - z) * (1 - n * n)
    d_p = [d_n * a_n * r * (1 - r), d_h * (h - n) * z * (1 - z), d_n]
    return jnp.concatenate(d_p, axis=-1), (d_h * z,)


def _gru_recurrent(d_p: Array, saved: Any) -> Array:
    d_r, d_z, d_n = jnp.split(d_p, 3, axis=-1)
    return jnp.concatenate([d_r, d_z, d_n * saved[0]], axis=-1)


TANH = Cell(1, 1, _tanh_advance, _tanh_retreat, _same)
RELU = Cell(1, 1, _relu_advance, _relu_retreat, _same)
LSTM = Cell(4, 2, _lstm_advance, _lstm_retreat, _same)
GRU = Cell(3, 1, _gru_advance, _gru_retreat, _gru_recurrent)
