"""What a graph takes."""

from dataclasses import dataclass
from typing import Annotated

import jax
from pydantic import BeforeValidator

from zerfoo_jax.core.errors import ConfigError, Problem
from zerfoo_jax.core.fields import NonNegativeInt, check_fields
from zerfoo_jax.core.types import Array, Spec

Dim = NonNegativeInt | None
"""A size, or None where any size will do."""


@dataclass(frozen=True)
class Input:
    """A named input of a graph, with the shape and dtype that it declares, if it does.

    A size of None takes any size; the first is mostly the batch. Raises `ConfigError` for a dtype that JAX does not know, and
    for one dtype without a shape.

    >>> Input("image", (None, 8, 8, 1)).spec(any_size=2)
    ShapeDtypeStruct(shape=(2, 8, 8, 1), dtype=float32)
    """

    name: str
    shape: tuple[Dim, ...] | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.shape is None and self.dtype is not None:
            raise ConfigError(f"Input.dtype = {self.dtype!r} of {self.name!r} has no shape", fix="give the shape too")
        if self.shape is not None:
            object.__setattr__(self, "dtype", _known_dtype(self.dtype or "float32"))

    def spec(self, any_size: int = 1) -> Spec:
        """The declared shape and dtype, with `any_size` where any size will do. Only for an input that declares them."""
        assert self.shape is not None
        sizes = tuple(any_size if size is None else size for size in self.shape)
        return Spec(sizes, jax.dtypes.canonicalize_dtype(self.dtype))

    def zeros(self, x: Array) -> Array:
        """An array of the declared shape and dtype, with the first size of `x` where any size will do."""
        spec = self.spec(any_size=x.shape[0] if x.shape else 1)
        return jax.numpy.zeros(spec.shape, spec.dtype)

    def misfits(self, x: Spec) -> Problem | None:
        """What is wrong with an array of this shape and dtype as this input; None where it fits."""
        if self.shape is None:
            return None
        fits = len(self.shape) == len(x.shape) and all(s in (None, n) for s, n in zip(self.shape, x.shape, strict=True))
        if fits and x.dtype == self.spec().dtype:
            return None
        shown = ", ".join("any" if size is None else str(size) for size in self.shape)
        return Problem(f"input {self.name!r} is declared {self.dtype} ({shown}), got {x.dtype} {tuple(x.shape)}", self.name)


def _known_dtype(name: str) -> str:
    try:
        dtype = jax.numpy.dtype(name)
    except (TypeError, ValueError, SyntaxError):  # NumPy's own, for texts such as `f4,,`
        dtype = None
    if dtype is None or not any(jax.numpy.issubdtype(dtype, kind) for kind in (jax.numpy.bool_, jax.numpy.number)):
        raise ConfigError(f"Input.dtype = {name!r} is no dtype", fix="such as float32, bfloat16 or int32")
    return str(dtype)


InputOrName = Annotated[Input | str, BeforeValidator(lambda given: Input(given) if isinstance(given, str) else given)]
"""For fields: a name alone stands for an input that declares nothing."""
