"""How parameters start: functions `(key, shape, dtype, *, options)` in `INITIALIZERS`.

`fan_in` and `fan_out` of a kernel are its last two axes, each times the receptive field: the axes before them.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from jax.nn import initializers as jax_init
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveFloat
from zerfoo_jax.core.spec import MemberOf, NamedOrMapping, bound
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import wide_dtype

Shape = Sequence[int]


def glorot_normal(key: Array, shape: Shape, dtype: Any) -> Array:
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot & Bengio, 2010); also called Xavier."""
    return jax_init.glorot_normal()(key, shape, dtype)


def glorot_uniform(key: Array, shape: Shape, dtype: Any) -> Array:
    """Uniform of variance 2 / (fan_in + fan_out) (Glorot & Bengio, 2010); also called Xavier."""
    return jax_init.glorot_uniform()(key, shape, dtype)


def he_normal(key: Array, shape: Shape, dtype: Any) -> Array:
    """Truncated normal of variance 2 / fan_in, for relu (He et al., arXiv 1502.01852); also called Kaiming."""
    return jax_init.he_normal()(key, shape, dtype)


def he_uniform(key: Array, shape: Shape, dtype: Any) -> Array:
    """Uniform of variance 2 / fan_in, for relu (He et al., arXiv 1502.01852); also called Kaiming."""
    return jax_init.he_uniform()(key, shape, dtype)


def lecun_normal(key: Array, shape: Shape, dtype: Any) -> Array:
    """Truncated normal of variance 1 / fan_in (LeCun et al., 1998)."""
    return jax_init.lecun_normal()(key, shape, dtype)


def lecun_uniform(key: Array, shape: Shape, dtype: Any) -> Array:
    """Uniform of variance 1 / fan_in (LeCun et al., 1998)."""
    return jax_init.lecun_uniform()(key, shape, dtype)


def normal(key: Array, shape: Shape, dtype: Any, *, stddev: PositiveFloat = 0.02) -> Array:
    """Normal with mean 0."""
    return jax_init.normal(stddev)(key, shape, dtype)


def truncated_normal(key: Array, shape: Shape, dtype: Any, *, stddev: PositiveFloat = 0.02) -> Array:
    """Normal with mean 0, drawn again beyond two standard deviations; `stddev` is that before truncation (torch's meaning)."""
    return jax_init.truncated_normal(stddev)(key, shape, dtype)


def uniform(key: Array, shape: Shape, dtype: Any, *, low: float = -0.05, high: float = 0.05) -> Array:
    """Uniform in low ... high."""
    return jnp.asarray(low, dtype) + jax_init.uniform(high - low)(key, shape, dtype)


def orthogonal(key: Array, shape: Shape, dtype: Any, *, gain: PositiveFloat = 1.0) -> Array:
    """Orthonormal rows or columns, of the kernel as a matrix with its last axis apart (Saxe et al., arXiv 1312.6120)."""
    return jax_init.orthogonal(gain)(key, shape, dtype)


def variance_scaling(
    key: Array,
    shape: Shape,
    dtype: Any,
    *,
    scale: PositiveFloat = 1.0,
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
    distribution: Literal["normal", "truncated_normal", "uniform"] = "truncated_normal",
) -> Array:
    """Mean 0 and variance scale / fan, where fan is that of `mode` (He et al., arXiv 1502.01852, with a scale of any size)."""
    return jax_init.variance_scaling(scale, mode, distribution)(key, shape, dtype)


def constant(key: Array, shape: Shape, dtype: Any, *, value: float) -> Array:
    """The same value everywhere."""
    return jax_init.constant(value)(key, shape, dtype)


def zeros(key: Array, shape: Shape, dtype: Any) -> Array:
    """0 everywhere."""
    return jax_init.zeros(key, shape, dtype)


def ones(key: Array, shape: Shape, dtype: Any) -> Array:
    """1 everywhere."""
    return jax_init.ones(key, shape, dtype)


INITIALIZERS: dict[str, Callable[..., Array]] = {
    "constant": constant,
    "glorot_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "lecun_normal": lecun_normal,
    "lecun_uniform": lecun_uniform,
    "normal": normal,
    "ones": ones,
    "orthogonal": orthogonal,
    "truncated_normal": truncated_normal,
    "uniform": uniform,
    "variance_scaling": variance_scaling,
    "xavier_normal": glorot_normal,
    "xavier_uniform": glorot_uniform,
    "zeros": zeros,
}


InitializerSpec = Annotated[NamedOrMapping, "initializer", MemberOf(INITIALIZERS, "initializer")]
"""A member of `INITIALIZERS`: its name, or `{name: normal, stddev: 0.01}`."""


def initialize(spec: NamedOrMapping, key: Array, shape: Shape, dtype: Any) -> Array:
    """A new parameter of that shape. Half precisions are drawn in float32: orthogonalisation needs it."""
    if len(shape) > 1 and 0 in shape:
        cause = f"a parameter of shape {tuple(shape)} has nothing to draw its variance from"
        raise ShapeError(cause, fix="give the layer an input with at least one feature")
    return bound(INITIALIZERS, spec, "initializer")(key, tuple(shape), wide_dtype(dtype)).astype(dtype)
