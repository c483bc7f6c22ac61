"""Softmax and its relatives: from logits to probabilities, as functions in `SOFTMAX_VARIANTS` and as one layer.

All work along the last axis and compute in float32 or wider. Relatives that draw numbers or learn parameters are layers of
their own: `GumbelSoftmax`, `AdaptiveSoftmax`, `MixtureSoftmax`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
import math
from typing import Annotated

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.spec import MemberOf, NamedOrMapping, bound
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.activations.sparse_softmax import entmax, sparsemax
from zerfoo_jax.numeric import widened


def standard_softmax(x: Array) -> Array:
    """exp(x_i) / Σ_j exp(x_j)."""
    return jax.nn.softmax(widened(x)).astype(x.dtype)


def temperature_softmax(x: Array, *, temperature: PositiveFloat = 1.0) -> Array:
    """softmax(x / T): nearer to the largest alone below T = 1, nearer to equal shares above."""
    return jax.nn.softmax(widened(x) / temperature).astype(x.dtype)


def grid_softmax(x: Array, *, columns: PositiveInt, temperature: PositiveFloat = 1.0) -> Array:
    """A softmax of x / temperature for each row of the last axis seen as a grid (rows, columns), such as one choice per unit.

    Raises `ShapeError` where the last axis is not a multiple of `columns`.

    >>> grid_softmax(jnp.zeros(6), columns=2).tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    """
    if x.shape[-1] % columns:
        raise ShapeError(
            f"grid softmax needs a multiple of columns = {columns} logits, got {x.shape[-1]}",
            fix="choose columns as a divisor of the logits",
        )
    grid = x.reshape(*x.shape[:-1], x.shape[-1] // columns, columns)
    return temperature_softmax(grid, temperature=temperature).reshape(x.shape)


def hierarchical_softmax(x: Array, *, levels: tuple[PositiveInt, ...], loom_compat: bool = False) -> Array:
    """Probabilities of the leaves of a tree: the product of a softmax at each node on the way (Morin & Bengio, 2005).

    Each node of depth i has `levels[i]` children. The logits come level by level, each level's nodes in order: b_1 for the
    root's children, then b_1 b_2, then b_1 b_2 b_3, ...; the output is the last level's b_1 ... b_d leaves in the same order.
    Raises `ShapeError` for any other number of logits. `loom_compat` gives what LOOM computes instead: `grid_softmax` with
    the last level as columns, as many numbers out as in.

    >>> p = hierarchical_softmax(jnp.log(jnp.array([1.0, 3.0, 1.0, 1.0, 1.0, 4.0])), levels=(2, 2))
    >>> [round(float(leaf), 4) for leaf in p]
    [0.125, 0.125, 0.15, 0.6]
    """
    if loom_compat:
        return grid_softmax(x, columns=levels[-1])
    sizes = [math.prod(levels[: i + 1]) for i in range(len(levels))]
    if x.shape[-1] != sum(sizes):
        raise ShapeError(
            f"hierarchical softmax with levels {levels} needs {' + '.join(map(str, sizes))} = {sum(sizes)} logits, "
            f"got {x.shape[-1]}",
            fix="give the layer before that many features",
        )
    nodes = jnp.zeros_like(widened(x)[..., :1])
    start = 0
    for size, children in zip(sizes, levels, strict=True):
        logits = widened(x[..., start : start + size]).reshape(*nodes.shape, children)
        nodes = (nodes[..., None] + jax.nn.log_softmax(logits)).reshape(*x.shape[:-1], size)
        start += size
    return jnp.exp(nodes).astype(x.dtype)


def masked_softmax(x: Array, *, mask: tuple[bool, ...], temperature: PositiveFloat = 1.0) -> Array:
    """The softmax of x / temperature where a fixed `mask` is True, 0 elsewhere; for a mask per example see `Softmax`.

    Raises `ShapeError` unless there is one value per logit.

    >>> masked_softmax(jnp.zeros(3), mask=(True, False, True)).tolist()
    [0.5, 0.0, 0.5]
    """
    if len(mask) != x.shape[-1]:
        raise ShapeError(f"masked softmax has a mask of {len(mask)} values for {x.shape[-1]} logits")
    variant = partial(temperature_softmax, temperature=temperature)
    return _where(variant, x, jnp.array(mask).reshape((1,) * (x.ndim - 1) + (-1,)))


def _where(variant: Callable[[Array], Array], x: Array, mask: Array) -> Array:
    """The variant among the logits where `mask` is True; 0 elsewhere, and everywhere in a row without any True."""
    wide = widened(x)
    # A finite fill makes no NaN, not even in between, of a row without a single True; the second `where` zeroes it.
    probabilities = variant(jnp.where(mask, wide, jnp.finfo(wide.dtype).min))
    return jnp.where(mask, probabilities, 0.0).astype(x.dtype)


SOFTMAX_VARIANTS: dict[str, Callable[..., Array]] = {
    "entmax": entmax,
    "grid": grid_softmax,
    "hierarchical": hierarchical_softmax,
    "masked": masked_softmax,
    "sparsemax": sparsemax,
    "standard": standard_softmax,
    "temperature": temperature_softmax,
}


SoftmaxSpec = Annotated[NamedOrMapping, "softmax variant", MemberOf(SOFTMAX_VARIANTS, "softmax variant")]
"""A member of `SOFTMAX_VARIANTS`: its name, or `{name: entmax, alpha: 1.3}`."""


@dataclass(frozen=True)
class Softmax(Layer):
    """Applies a member of `SOFTMAX_VARIANTS` over the last axis: logits (..., n) -> probabilities, of the same shape for all
    but `hierarchical`. Options are given as `{"name": "entmax", "alpha": 1.3}`.

    A boolean mask as optional second input, of x's shape or with axes of size 1, leaves only the logits where it is True; the
    others get 0, and so does every logit of a row without any True. `hierarchical`, whose logits are not its outputs, takes
    none. Raises `ShapeError` for a mask that does not fit.

    >>> x, mask = jnp.zeros((2, 3)), jnp.array([[True, True, False], [False, False, False]])
    >>> Softmax("sparsemax").forward({}, x, mask).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """

    variant: SoftmaxSpec = "standard"

    def init(self, key: Array, x: Spec, mask: Spec | None = None) -> tuple[Params, State]:
        expect_axes(x, "logits", least=True)
        expect_floating(x)
        if mask is not None:
            _expect_mask(mask, x)
        return {}, {}

    def forward(self, params: Params, x: Array, mask: Array | None = None) -> Array:
        variant = bound(SOFTMAX_VARIANTS, self.variant, "softmax variant")
        if mask is None:
            return variant(x)
        if variant.func is hierarchical_softmax:
            raise ShapeError("hierarchical softmax takes no mask: its logits are those of nodes", fix="connect only the logits")
        return _where(variant, x, mask)


def _expect_mask(mask: Spec, x: Spec) -> None:
    if mask.dtype != jnp.bool_:
        raise ShapeError(f"Softmax needs a boolean mask, got {mask.dtype}", fix="pass e.g. legal_moves > 0")
    if len(mask.shape) != len(x.shape) or any(have not in (1, want) for have, want in zip(mask.shape, x.shape, strict=True)):
        raise ShapeError(f"Softmax needs a mask broadcastable to {tuple(x.shape)} with as many axes, got {tuple(mask.shape)}")
