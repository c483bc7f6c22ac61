"""The activation functions that recurrent operators name in their attributes."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError, nearest
from zerfoo_jax.core.types import Array

Gate = Callable[[Array], Array]

_GATES: Mapping[str, tuple[Callable[..., Array], tuple[float, ...]]] = {
    "affine": (lambda x, alpha, beta: alpha * x + beta, (1.0, 0.0)),
    "elu": (lambda x, alpha: jax.nn.elu(x, alpha), (1.0,)),
    "hardsigmoid": (lambda x, alpha, beta: jnp.clip(alpha * x + beta, 0, 1), (0.2, 0.5)),
    "leakyrelu": (lambda x, alpha: jnp.where(x < 0, alpha * x, x), (0.01,)),
    "relu": (jax.nn.relu, ()),
    "scaledtanh": (lambda x, alpha, beta: alpha * jnp.tanh(beta * x), (1.0, 1.0)),
    "sigmoid": (jax.nn.sigmoid, ()),
    "softplus": (jax.nn.softplus, ()),
    "softsign": (jax.nn.soft_sign, ()),
    "tanh": (jnp.tanh, ()),
    "thresholdedrelu": (lambda x, alpha: jnp.where(x >= alpha, x, jnp.zeros((), x.dtype)), (1.0,)),
}
"""Functions by their names in small letters, and what their alpha and beta are unless given."""


def gates_of(
    names: Sequence[str],
    default: Sequence[str],
    directions: int,
    alphas: Sequence[float],
    betas: Sequence[float],
    clip: float,
    unclipped: int = 0,
) -> list[list[Gate]]:
    """For each direction its functions, each of an input that is first kept within -clip ... clip, but for the last of them.

    `unclipped` is how many those are. Functions that take an alpha or beta take the next in the list, while there is one.
    """
    names = tuple(names) or tuple(default) * directions
    if len(names) != len(default) * directions:
        raise FormatError(f"activations {names}, but {len(default)} are needed for each of {directions} directions")
    left = [list(alphas), list(betas)]
    gates: list[Gate] = []
    for i, name in enumerate(names):
        if name.lower() not in _GATES:
            raise FormatError(f"there is no activation {name!r} for gates", fix=nearest(name.lower(), _GATES))
        function, defaults = _GATES[name.lower()]
        given = [values.pop(0) if values else value for value, values in zip(defaults, left, strict=False)]
        free = i % len(default) >= len(default) - unclipped
        gates.append(_clipped(function, given, float("inf") if free else clip))
    return [gates[d * len(default) : (d + 1) * len(default)] for d in range(directions)]


def _clipped(function: Callable[..., Array], given: Sequence[float], clip: float) -> Gate:
    if clip == float("inf"):
        return lambda x: function(x, *given)
    return lambda x: function(jnp.clip(x, -clip, clip), *given)
