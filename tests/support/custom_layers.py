"""Layers that stand in no table, one of them with a name that a table has too."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from zerfoo_jax.core.layer import Layer


@dataclass(frozen=True)
class Window:
    """A value of a kind of its own."""

    size: int


@dataclass(frozen=True)
class Scale(Layer):
    """A layer with fields of every kind that a dataclass has."""

    factor: int
    _: KW_ONLY
    window: Any
    sizes: tuple[int, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Dense(Layer):
    """Not the table's."""

    width: int
