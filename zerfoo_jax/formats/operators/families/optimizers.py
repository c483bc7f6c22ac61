"""Optimizers as operators: tensors, their gradients and what is kept of them in; new tensors and what is kept of them out.

G below is the gradient with the regularisation's, norm_coefficient · x.
"""

from collections.abc import Callable

import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.types import Array

DOMAIN = "ai.onnx.preview.training"


def Adagrad(
    rate: Array, count: Array, *inputs: Array, decay_factor: float = 0.0, epsilon: float = 1e-6, norm_coefficient: float = 0.0
) -> tuple[Array, ...]:
    """h += G², x -= rate / (1 + count · decay_factor) G / (sqrt(h) + epsilon) (Duchi et al., 2011)."""

    def step(x: Array, gradient: Array, h: Array) -> tuple[Array, ...]:
        now = rate.astype(x.dtype) / (1 + count.astype(x.dtype) * decay_factor)
        gradient = norm_coefficient * x + gradient
        h = h + gradient * gradient
        return x - now * gradient / (jnp.sqrt(h) + epsilon), h

    return _each(step, inputs, 3)


def Adam(
    rate: Array,
    count: Array,
    *inputs: Array,
    alpha: float = 0.9,
    beta: float = 0.999,
    epsilon: float = 1e-6,
    norm_coefficient: float = 0.0,
    norm_coefficient_post: float = 0.0,
) -> tuple[Array, ...]:
    """v = alpha v + (1 - alpha) G, h = beta h + (1 - beta) G², x -= rate' v / (sqrt(h) + epsilon) (Kingma and Ba, 2015).

    rate' = rate sqrt(1 - beta^count) / (1 - alpha^count), or the rate at the first step, where the count is 0. The new x is
    multiplied by 1 - norm_coefficient_post.
    """

    def step(x: Array, gradient: Array, v: Array, h: Array) -> tuple[Array, ...]:
        steps = count.astype(x.dtype)
        later = jnp.maximum(steps, 1)
        factor = jnp.where(steps > 0, jnp.sqrt(1 - beta**later) / (1 - alpha**later), jnp.ones((), x.dtype))
        gradient = norm_coefficient * x + gradient
        v = alpha * v + (1 - alpha) * gradient
        h = beta * h + (1 - beta) * gradient * gradient
        new = x - rate.astype(x.dtype) * factor * v / (jnp.sqrt(h) + epsilon)
        return (1 - norm_coefficient_post) * new, v, h

    return _each(step, inputs, 4)


def Momentum(
    rate: Array, count: Array, *inputs: Array, alpha: float, beta: float, mode: str, norm_coefficient: float
) -> tuple[Array, ...]:
    """v = alpha v + beta G, x -= rate v, or with `mode` = "nesterov" x -= rate (G + alpha v); beta is 1 at the first step."""
    if mode not in ("standard", "nesterov"):
        raise FormatError(f"Momentum has no mode {mode!r}", fix="known: standard, nesterov")

    def step(x: Array, gradient: Array, v: Array) -> tuple[Array, ...]:
        gradient = norm_coefficient * x + gradient
        v = alpha * v + jnp.where(count > 0, jnp.asarray(beta, x.dtype), jnp.ones((), x.dtype)) * gradient
        return x - rate.astype(x.dtype) * (gradient + alpha * v if mode == "nesterov" else v), v

    return _each(step, inputs, 3)


def _each(step: Callable[..., tuple[Array, ...]], inputs: tuple[Array, ...], kinds: int) -> tuple[Array, ...]:
    """The step of every tensor. Inputs and outputs are ordered by their kind: all tensors, all gradients, ..."""
    if not inputs or len(inputs) % kinds:
        raise FormatError(f"an optimizer takes {kinds} arrays for each tensor, got {len(inputs)}")
    count = len(inputs) // kinds
    results = [step(*inputs[i::count]) for i in range(count)]
    return tuple(result[kind] for kind in range(kinds - 1) for result in results)
