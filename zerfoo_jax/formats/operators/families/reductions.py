"""Sums, means, norms and extremes along axes; each operator took its axes as an attribute before it took them as an input.

Sums of half precision are taken in float32.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.formats.operators.arrays import axes_of, is_floating, wide
from zerfoo_jax.formats.operators.known import Known

Axes = tuple[int, ...]


def _operators(reduce: Callable[[Any, Axes], Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The operator with its axes as an attribute, and the later one with its axes as an input.

    Without axes all are reduced, or none where `noop_with_empty_axes` says so.
    """

    def reduced(data: Any, axes: Any, keepdims: int, *, none: bool = False) -> Any:
        data = jnp.asarray(data)
        if axes is None or len(axes) == 0:
            axes = () if none else range(data.ndim)
        places = axes_of(axes, data.ndim)
        result = reduce(wide(data), places).astype(data.dtype)
        return jnp.expand_dims(result, places) if keepdims else result

    def by_attribute(data: Any, *, axes: tuple[int, ...] | None = None, keepdims: int = 1) -> Any:
        return reduced(data, axes, keepdims)

    def by_input(data: Any, axes: Known | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
        return reduced(data, None if axes is None else axes.reshape(-1), keepdims, none=bool(noop_with_empty_axes))

    return by_attribute, by_input


def _sum(x: Any, axes: Axes) -> Any:
    return jnp.sum(x, axes, dtype=x.dtype)


def _mean(x: Any, axes: Axes) -> Any:
    return jnp.mean(x, axes) if is_floating(x) else lax.div(_sum(x, axes), jnp.asarray(_count(x, axes), x.dtype))


def _count(x: Any, axes: Axes) -> int:
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    return count


def _product(x: Any, axes: Axes) -> Any:
    return jnp.prod(x, axes, dtype=x.dtype)


def _largest(x: Any, axes: Axes) -> Any:
    return jnp.max(x, axes, initial=_lowest(x.dtype)) if _count(x, axes) == 0 else jnp.max(x, axes)


def _smallest(x: Any, axes: Axes) -> Any:
    return jnp.min(x, axes, initial=_highest(x.dtype)) if _count(x, axes) == 0 else jnp.min(x, axes)


def _lowest(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.floating):
        return -jnp.inf
    return False if dtype == jnp.bool_ else jnp.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.floating):
        return jnp.inf
    return True if dtype == jnp.bool_ else jnp.iinfo(dtype).max


def _absolute_sum(x: Any, axes: Axes) -> Any:
    return _sum(jnp.abs(x), axes)


def _square_sum(x: Any, axes: Axes) -> Any:
    return _sum(x * x, axes)


def _norm(x: Any, axes: Axes) -> Any:
    return jnp.sqrt(_square_sum(_floating(x), axes))


def _log_sum(x: Any, axes: Axes) -> Any:
    return jnp.log(_sum(_floating(x), axes))


def _log_sum_exp(x: Any, axes: Axes) -> Any:
    x = _floating(x)
    if _count(x, axes) == 0:
        return jnp.log(_sum(x, axes))
    return jax.scipy.special.logsumexp(x, axes)


def _floating(x: Any) -> Any:
    return x if is_floating(x) else x.astype(jnp.float32)


ReduceSum, ReduceSum_13 = _operators(_sum)
ReduceMean, ReduceMean_18 = _operators(_mean)
ReduceProd, ReduceProd_18 = _operators(_product)
ReduceMax, ReduceMax_18 = _operators(_largest)
ReduceMin, ReduceMin_18 = _operators(_smallest)
ReduceL1, ReduceL1_18 = _operators(_absolute_sum)
ReduceL2, ReduceL2_18 = _operators(_norm)
ReduceSumSquare, ReduceSumSquare_18 = _operators(_square_sum)
ReduceLogSum, ReduceLogSum_18 = _operators(_log_sum)
ReduceLogSumExp, ReduceLogSumExp_18 = _operators(_log_sum_exp)
