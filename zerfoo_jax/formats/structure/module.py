"""What one module's tensors are taken for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from zerfoo_jax.core.layer import Layer

Confidence = Literal["certain", "likely", "guess"]
"""Names and shapes allow nothing else; nothing else is usual; one of several usual readings."""

Arrays = Mapping[str, np.ndarray]
"""The tensors of a module, by their names within it."""


@dataclass(frozen=True, eq=False)
class Module:
    """A layer that has these parameters, as it was recognised: in our layout, views where that will do.

    `takes` and `gives` are the sizes of the last axis before and behind it, None where they are not known. `open` says what
    neither names nor shapes tell.
    """

    layer: Layer
    params: Mapping[str, Any]
    why: str
    confidence: Confidence = "likely"
    state: Mapping[str, Any] = field(default_factory=dict)
    takes: int | None = None
    gives: int | None = None
    open: tuple[str, ...] = ()


Recogniser = Callable[[str, Arrays], Module | None]
"""Takes a module's name and its tensors, all of them; gives None where they are not what it knows."""


def shapes(arrays: Arrays) -> str:
    """The tensors in words, for a reason.

    >>> shapes({"weight": np.zeros((3, 2)), "bias": np.zeros(3)})
    'weight [3, 2], bias [3]'
    """
    return ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())


def only(arrays: Arrays, needed: str, optional: str = "") -> bool:
    """Whether the tensors are those needed, and at most the optional ones besides; names are parted by spaces."""
    return set(needed.split()) <= arrays.keys() <= {*needed.split(), *optional.split()}


def present(**arrays: np.ndarray | None) -> dict[str, np.ndarray]:
    """Those arrays that there are."""
    return {name: array for name, array in arrays.items() if array is not None}
