"""XLA: the function compiled as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from zerfoo_jax.engines.engine import Engine, Function


@dataclass(frozen=True)
class Xla(Engine):
    """Compiles the function as a whole for CPU, GPU or TPU; the default.

    `compile` is `jax.jit`: traced and compiled at the first call, and again for arguments of other shapes or dtypes.

    >>> import jax.numpy as jnp
    >>> double = Xla().compile(lambda x: x + x, donate=(0,))
    >>> double(jnp.ones(3)).tolist()
    [2.0, 2.0, 2.0]
    """

    def compile(self, function: Function, *, donate: tuple[int, ...] = ()) -> Function:
        """`jax.jit`, which reuses the memory of the arguments in `donate`."""
        return jax.jit(function, donate_argnums=donate)

    def describe(self) -> Mapping[str, Any]:
        """As of every engine; this one reuses donated memory."""
        return {**super().describe(), "donation": True}
