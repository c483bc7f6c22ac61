"""Precision as a policy: in which dtypes parameters rest, layers compute and outputs come back.

The training step applies the policy; no layer casts on its own, except that norms and softmax take their sums in float32.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, nearest
from zerfoo_jax.core.types import Array, Tree


@dataclass(frozen=True)
class Policy:
    """Dtypes by role. `scales_loss` says that gradients need loss scaling to stay representable."""

    params: Any = jnp.float32
    compute: Any = jnp.float32
    output: Any = jnp.float32
    scales_loss: bool = False


POLICIES: dict[str, Policy] = {
    "float32": Policy(),
    "bfloat16": Policy(compute=jnp.bfloat16),
    "float16": Policy(compute=jnp.float16, scales_loss=True),
}


def policy(name: str | Policy) -> Policy:
    """The policy of that name: float32 parameters and outputs, computing in the named dtype."""
    if isinstance(name, Policy):
        return name
    if not isinstance(name, str) or name not in POLICIES:
        raise ConfigError(f"unknown precision {name!r}", fix=nearest(str(name), POLICIES))
    return POLICIES[name]


def wide_dtype(dtype: Any) -> Any:
    """float32, or float64 for float64: where sums, exponentials and running states are kept, which half precision cannot carry.

    >>> wide_dtype(jnp.float16) is jnp.float32, wide_dtype(jnp.dtype("float64")) is jnp.float64
    (True, True)
    """
    return jnp.float64 if dtype == jnp.float64 else jnp.float32


def widened(x: Array) -> Array:
    """The array in float32, or float64 where it is that already: what sums and losses are computed in.

    >>> widened(jnp.ones(2, jnp.bfloat16)).dtype, widened(jnp.array([True])).dtype
    (dtype('float32'), dtype('float32'))
    """
    return x.astype(wide_dtype(x.dtype))


def cast_floating(tree: Tree, dtype: Any) -> Tree:
    """The tree with its floating-point arrays cast to `dtype`; integers, booleans and keys stay."""

    def cast(x: Any) -> Any:
        return x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return jax.tree.map(cast, tree)
