"""How parameters start. `fan_in` and `fan_out` count a kernel's last two axes times its receptive field."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from jax.nn import initializers as jax_init

from zerfoo_jax.core.spec import name_in
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import wide_dtype

INITIALIZERS: dict[str, Callable[..., Array]] = {
    "glorot_normal": jax_init.glorot_normal(),
    "glorot_uniform": jax_init.glorot_uniform(),
    "he_normal": jax_init.he_normal(),
    "he_uniform": jax_init.he_uniform(),
    "lecun_normal": jax_init.lecun_normal(),
    "lecun_uniform": jax_init.lecun_uniform(),
    "normal_0.02": jax_init.normal(0.02),
    "ones": jax_init.ones,
    "orthogonal": jax_init.orthogonal(),
    "zeros": jax_init.zeros,
}


InitializerName = Annotated[str, name_in(INITIALIZERS, "initializer")]
"""The name of a member of `INITIALIZERS`."""


def initialize(name: str, key: Array, shape: Sequence[int], dtype: Any) -> Array:
    """A new parameter of that shape. Half precisions are drawn in float32: orthogonalisation needs it."""
    return INITIALIZERS[name](key, tuple(shape), wide_dtype(dtype)).astype(dtype)
