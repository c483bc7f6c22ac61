"""Softmaxes that give exact zeros: sparsemax, and the family between softmax and it.

entmax_α(z) is the distribution p that maximises p · z + H_α(p) for the Tsallis entropy H_α; that is
p_i = [(α - 1) z_i - τ]₊^(1 / (α - 1)) with the τ for which p sums to one. α = 1 is softmax and α = 2 sparsemax
(Peters, Niculae & Martins, arXiv 1905.05702).
"""

from functools import partial
from typing import Annotated, Any

from annotated_types import Ge
import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveFloat
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened


def sparsemax(x: Array, *, temperature: PositiveFloat = 1.0, loom_compat: bool = False) -> Array:
    """The point of the probability simplex nearest to x / temperature, over the last axis (Martins & Astudillo, arXiv
    1602.02068).

    p_i = [x_i - τ]₊ with τ = (Σ_S x - 1) / |S| over the support S. `loom_compat` gives what LOOM computes instead,
    τ = (2 Σ_S x - 1) / |S|, which does not sum to one.

    >>> x = jnp.array([0.1, -0.2, 0.3, -0.4])
    >>> [[round(float(p), 4) for p in sparsemax(x, loom_compat=loom)] for loom in (False, True)]
    [[0.3667, 0.0667, 0.5667, 0.0], [0.3, 0.0, 0.5, 0.0]]
    """
    wide = widened(x) / temperature
    return (_loom_sparsemax(wide) if loom_compat else _entmax(wide, 2.0)).astype(x.dtype)


def entmax(
    x: Array, *, alpha: Annotated[float, Ge(1)] = 1.5, temperature: PositiveFloat = 1.0, loom_compat: bool = False
) -> Array:
    """entmax_α of x / temperature over the last axis: the larger `alpha`, the more exact zeros; 1 is softmax, 2 sparsemax.

    `loom_compat` gives what LOOM computes instead: (2 - α) softmax + (α - 1) LOOM's sparsemax, divided by its sum.

    >>> [round(float(p), 4) for p in entmax(jnp.array([1.0, 0.0, -2.0]))]
    [0.8307, 0.1693, 0.0]
    """
    wide = widened(x) / temperature
    if loom_compat:
        blend = (2 - alpha) * jax.nn.softmax(wide) + (alpha - 1) * _loom_sparsemax(wide)
        return (blend / jnp.sum(blend, axis=-1, keepdims=True)).astype(x.dtype)
    return _entmax(wide, alpha).astype(x.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _entmax(z: Array, alpha: float) -> Array:
    if alpha == 1:
        return jax.nn.softmax(z)
    z = z - jnp.max(z, axis=-1, keepdims=True)
    return _by_sorting(z) if alpha == 2 else _by_bisection(z, alpha)


@_entmax.defjvp
def _entmax_jvp(alpha: float, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # The implicit function theorem on Σ p = 1: dp = s (dz - Σ s dz / Σ s) with s = p^(2 - α) on the support. It holds for
    # every α, and needs neither the sort nor the steps of the search.
    p, dz = _entmax(*primals, alpha), tangents[0]
    inside = p > 0
    slope = jnp.where(inside, jnp.where(inside, p, 1.0) ** (2 - alpha), 0.0)
    mean = jnp.sum(slope * dz, axis=-1, keepdims=True) / jnp.sum(slope, axis=-1, keepdims=True)
    return p, slope * (dz - mean)


def _by_sorting(z: Array) -> Array:
    total, size = _support(z)
    return jnp.maximum(z - (total - 1) / size, 0.0)


def _by_bisection(z: Array, alpha: float) -> Array:
    """For logits of which the largest is 0: then (α - 1) z is -1 at the least where p > 0, and τ lies in -1 ... 0."""
    scaled = (alpha - 1) * z

    def probabilities(tau: Array) -> Array:
        return jnp.maximum(scaled - tau, 0.0) ** (1 / (alpha - 1))

    def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) / 2
        too_low = jnp.sum(probabilities(middle), axis=-1, keepdims=True) >= 1
        return jnp.where(too_low, middle, low), jnp.where(too_low, high, middle)

    low = jnp.full_like(z[..., :1], -1.0)
    low, _ = lax.fori_loop(0, jnp.finfo(z.dtype).nmant + 2, halve, (low, jnp.zeros_like(low)))
    p = probabilities(low)
    return p / jnp.sum(p, axis=-1, keepdims=True)


def _loom_sparsemax(z: Array) -> Array:
    total, size = _support(z)
    return jnp.maximum(z - (2 * total - 1) / size, 0.0)


def _support(z: Array) -> tuple[Array, Array]:
    """Sum and number of the logits that sparsemax keeps: the largest k for which 1 + k z_(k) > Σ_{i ≤ k} z_(i)."""
    descending = jnp.flip(jnp.sort(z, axis=-1), axis=-1)
    ranks = jnp.arange(1, z.shape[-1] + 1, dtype=z.dtype).reshape((1,) * (z.ndim - 1) + (-1,))
    sums = jnp.cumsum(descending, axis=-1)
    size = jnp.sum(1 + ranks * descending > sums, axis=-1, keepdims=True)
    return jnp.take_along_axis(sums, size - 1, axis=-1), size.astype(z.dtype)
