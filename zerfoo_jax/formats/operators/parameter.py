"""An array that several nodes use, as a layer: one that is tied is trained as one."""

from dataclasses import dataclass
from typing import Any, Literal

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, State
from zerfoo_jax.formats.operators.operator import initial


@dataclass(frozen=True)
class Parameter(Layer):
    """Gives an array of its own; it has no inputs.

    `name` is the array's name in the file that it comes from. Parameters, or state where `role` is `buffer`: `value`.

    >>> import jax
    >>> params, _ = Parameter("embedding.weight", "float32", (5, 3)).init(jax.random.key(0))
    >>> params["value"].shape
    (5, 3)
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    role: Literal["parameter", "buffer"] = "parameter"

    @property
    def is_source(self) -> bool:
        """Always: it has no inputs."""
        return True

    def init(self, key: Array) -> tuple[Params, State]:
        held = {"value": initial(key, "value", self.dtype, self.shape)}
        return (held, {}) if self.role == "parameter" else ({}, held)

    def apply(self, params: Params, state: State, *, key: Array | None = None, train: bool = False) -> tuple[Any, State]:
        del key, train
        return (params if self.role == "parameter" else state)["value"], state
