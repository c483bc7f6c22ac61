"""A recurrent cell over all steps, with a backward pass of its own.

Differentiating a scan adds each step's gradient of the recurrent kernel to an accumulator. Here the loop only gives the
gradients of the recurrent products, and one large matrix product after it gives the kernel's: on a CPU half of the time.
"""

from functools import partial
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.recurrence.recurrent_cells import Cell, States
from zerfoo_jax.numeric import widened


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def run(
    cell: Cell, reverse: bool, projected: Array, kernel: Array, bias: Array | None, start: States, valid: Array | None
) -> tuple[Array, States]:
    """The first state after every step (time, batch, features), and all states after the last.

    `projected` is (time, batch, gates · features), `kernel` (features, gates · features), `bias` is added to the recurrent
    product, `start` has the states before the first step in float32 or wider. Steps where `valid` (time, batch) is False leave
    the states as they are. With `reverse` the last step comes first. Differentiable any number of times in reverse mode, not
    in forward mode.
    """
    return _forward(cell, reverse, projected, kernel, bias, start, valid)[0]


def _forward(
    cell: Cell, reverse: bool, projected: Array, kernel: Array, bias: Array | None, start: States, valid: Array | None
) -> tuple[tuple[Array, States], Any]:
    dtype = projected.dtype

    def step(states: States, now: tuple[Array, Array | None]) -> tuple[States, Any]:
        p, counts = now
        a = widened(jnp.matmul(states[0].astype(dtype), kernel))
        a = a if bias is None else a + widened(bias)[None]
        new, saved = cell.advance(widened(p), a, states)
        new = _where(counts, new, states)
        return new, (new[0].astype(dtype), saved)

    last, (every, saved) = lax.scan(step, start, (projected, valid), reverse=reverse)
    return (every, last), (kernel, bias, start[0], valid, every, saved)


def _backward(cell: Cell, reverse: bool, residuals: Any, gradients: tuple[Array, States]) -> tuple[Any, ...]:
    kernel, bias, start, valid, every, saved = residuals
    d_every, d_last = gradients
    transposed = kernel.T

    def step(d_states: States, now: Any) -> tuple[States, Array]:
        d_h, counts, saved = now
        d_new = (d_states[0] + widened(d_h), *d_states[1:])
        d_p, d_old = cell.retreat(saved, _where(counts, d_new, None))
        d_a = cell.recurrent(d_p, saved).astype(transposed.dtype)
        d_old = (d_old[0] + widened(jnp.matmul(d_a, transposed)), *d_old[1:])
        return _where(counts, d_old, d_new), d_p

    d_start, d_p = lax.scan(step, d_last, (d_every, valid, saved), reverse=not reverse)
    d_a = cell.recurrent(d_p, saved)
    first = start.astype(every.dtype)[None]
    before = jnp.concatenate([every, first])[1:] if reverse else jnp.concatenate([first, every])[:-1]
    d_kernel = jnp.matmul(_flat(before).T, _flat(d_a).astype(kernel.dtype))
    d_bias = None if bias is None else jnp.sum(d_a, (0, 1)).astype(bias.dtype)
    return d_p.astype(every.dtype), d_kernel, d_bias, d_start, None


run.defvjp(_forward, _backward)


def _where(counts: Array | None, new: States, old: States | None) -> States:
    """The new states of the sequences that this step counts for, the old ones (or 0) of the others."""
    if counts is None:
        return new
    others = old if old is not None else tuple(map(jnp.zeros_like, new))
    return tuple(jnp.where(counts[:, None], n, o) for n, o in zip(new, others, strict=True))


def _flat(x: Array) -> Array:
    """(time, batch, n) -> (time · batch, n): XLA's matrix product over two axes at once takes four times as long."""
    return x.reshape(x.shape[0] * x.shape[1], x.shape[2])


def project(x: Array, kernel: Array, bias: Array) -> Array:
    """x W + b for all steps at once: (time, batch, in) -> (time, batch, gates · features)."""
    y = jnp.matmul(_flat(x), kernel) + bias[None]
    return y.reshape(*x.shape[:-1], kernel.shape[-1])
