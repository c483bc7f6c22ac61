"""In which form layers write what they compute: such that their back end runs it fast, or as it is defined.

A back end has slow and fast words for the same thing. What translates a model, such as an exporter, wants each layer in one:
a convolution, whatever its groups, as a convolution.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax

_as_defined: ContextVar[bool] = ContextVar("as_defined", default=False)


@contextmanager
def as_defined() -> Iterator[None]:
    """Within it layers are traced as they are defined. The values are the same up to rounding."""
    token = _as_defined.set(True)
    try:
        yield
    finally:
        _as_defined.reset(token)


def are_as_defined() -> bool:
    """Whether layers are to be traced as they are defined."""
    return _as_defined.get()


def are_for_cpu() -> bool:
    """Whether layers are to be traced in the form that XLA runs fast on a CPU."""
    return not are_as_defined() and jax.default_backend() == "cpu"
