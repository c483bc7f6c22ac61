"""Modules one behind the other: in what order, and what stands between them without leaving a trace in the tensors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
import math
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError, ZerfooError
from zerfoo_jax.core.layer import Layer, check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.formats.structure.module import Module
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import (
    Activation,
    BatchNorm,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Permute,
    PReLU,
    RMSNorm,
    Sequential,
)

MAX_MODULES = 256
MAX_STEPS = 10_000
"""Tries at an order."""
MAX_SIZE = 4096
"""Of an image whose size has to be found out."""

_CONVOLUTIONS = {Conv1D: 1, Conv2D: 2, Conv3D: 3}
"""Each with its number of spatial axes."""
_POOLS = (MaxPool1D(2), MaxPool2D(2), MaxPool3D(2))
_POINTWISE = (BatchNorm, LayerNorm, RMSNorm, PReLU)

Modules = Mapping[str, Module]


class Slot(NamedTuple):
    """A place in a chain: that of a module, or an open one where the layer, or None, is what usually stands there."""

    name: str
    layer: Layer | None
    open: bool = False


def in_order(modules: Modules) -> list[str] | None:
    """The modules in an order in which each fits the one before, None where there is no such order.

    Modules whose names differ in numbers alone keep the order of their numbers.
    """
    if not 0 < len(modules) <= MAX_MODULES:
        return None
    queues: dict[str, list[str]] = {}
    for name in modules:
        queues.setdefault(re.sub(r"\d+", "#", name), []).append(name)
    steps = iter(range(MAX_STEPS))

    def follow(order: list[str], waiting: dict[str, list[str]]) -> list[str] | None:
        if not waiting:
            return order
        before = modules[order[-1]] if order else None
        # A norm of the right width belongs to the layer before it rather than to one that is still to come.
        for word in sorted(waiting, key=lambda word: not isinstance(modules[waiting[word][0]].layer, _POINTWISE)):
            first, *rest = waiting[word]
            if _follows(before, modules[first]) and next(steps, None) is not None:
                left = {**waiting, word: rest} if rest else {other: names for other, names in waiting.items() if other != word}
                found = follow([*order, first], left)
                if found:
                    return found
        return None

    return follow([], queues)


def _follows(before: Module | None, module: Module) -> bool:
    if before is None:
        return not isinstance(module.layer, _POINTWISE)
    if before.gives is None or module.takes is None:
        return not isinstance(module.layer, Embedding)
    if isinstance(module.layer, Dense) and (_axes(before.layer) or isinstance(before.layer, _POINTWISE)):
        return module.takes % before.gives == 0  # what was an image has been flattened
    if _axes(module.layer):
        return bool(_axes(before.layer) or isinstance(before.layer, _POINTWISE)) and before.gives % module.takes == 0
    return before.gives == module.takes


def _axes(layer: Layer) -> int:
    """The spatial axes of a convolution, 0 for any other layer."""
    return _CONVOLUTIONS.get(type(layer), 0)


def chained(modules: Modules, order: Sequence[str]) -> list[Slot]:
    """The chain with its open places."""
    slots: list[Slot] = []
    axes = 0
    for before, name in zip((None, *order), order, strict=False):
        if before is not None:
            slots += _between(before, name, modules[name].layer, axes)
        slots.append(Slot(name, _grouped(modules, before, name)))
        axes = 0 if isinstance(modules[name].layer, Dense) else _axes(modules[name].layer) or axes
    return slots


def _grouped(modules: Modules, before: str | None, name: str) -> Layer:
    """A convolution of fewer channels than arrive is one of groups."""
    layer, takes, given = modules[name].layer, modules[name].takes, modules[before].gives if before is not None else None
    if _axes(layer) and takes and given:
        return replace(layer, groups=given // takes)  # pyright: ignore[reportCallIssue]
    return layer


def _between(before: str, name: str, layer: Layer, axes: int) -> Iterator[Slot]:
    """The open places before a layer: torch counts modules without tensors too, so that their numbers are missing."""
    missing = _missing(before, name)
    if missing is None:
        missing = [] if isinstance(layer, _POINTWISE) else [f"after {before}"]
        missing += [f"before {name}"] if axes and isinstance(layer, Dense) else []
    usual: list[Layer | None] = [Activation("relu"), _POOLS[axes - 1] if axes else Dropout(0.5)]
    if axes and isinstance(layer, Dense):
        missing = missing or [f"before {name}"]
        yield from (Slot(slot, one, True) for slot, one in zip(missing[:-1], _filled(usual, len(missing) - 1), strict=True))
        yield Slot(missing[-1], _channels_first(axes), True)
    else:
        yield from (Slot(slot, one, True) for slot, one in zip(missing, _filled(usual, len(missing)), strict=True))


def _filled(usual: list[Layer | None], count: int) -> list[Layer | None]:
    return (usual + [None] * count)[:count]


def _missing(before: str, name: str) -> list[str] | None:
    """The numbers between two names that end in numbers and are equal otherwise; None for other names."""
    (stem, _, last), (other, _, next_) = before.rpartition("."), name.rpartition(".")
    if stem != other or not (last.isdecimal() and next_.isdecimal()) or int(next_) - int(last) > MAX_MODULES:
        return None
    return [f"{stem}.{i}" if stem else str(i) for i in range(int(last) + 1, int(next_))]


def _channels_first(axes: int) -> Layer:
    """Flattens as torch does, channels first."""
    return Sequential((Permute((axes + 1, *range(1, axes + 1))), Flatten()))


def usual_input(layers: Mapping[str, Layer], modules: Modules, first: str) -> tuple[Spec]:
    """The smallest input of one example that a chain takes; `FormatError` where none is found.

    A convolution's is square; a Dense layer behind it tells its size.
    """
    module = modules[first]
    own = jax.tree.leaves(module.params)[0].dtype
    dtype = jax.dtypes.canonicalize_dtype(own) if jnp.issubdtype(own, jnp.floating) and own.itemsize > 1 else jnp.float32
    axes = _axes(module.layer)
    if isinstance(module.layer, Embedding):
        return (Spec((1, 1), jnp.int32),)
    if not axes:
        shape = (1, module.takes) if isinstance(module.layer, Dense) else (1, 1, module.takes)
        return (Spec(shape, dtype),)
    names = list(layers)
    end = next((i for i, name in enumerate(names) if isinstance(layers[name], Dense)), len(names))
    front = graph_of({name: layers[name] for name in names[:end]})
    wanted = modules[names[end]].takes if end < len(names) else 1

    def reached(size: int) -> int:
        """How many numbers an image of that size becomes."""
        try:
            return math.prod(check(front, Spec((1, *(size,) * axes, module.takes), dtype)).shape[1:])
        except ZerfooError:
            return 0

    low, high = 1, MAX_SIZE
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= (wanted or 1) else (middle + 1, high)
    if not reached(low) or (end < len(names) and reached(low) != wanted):
        cause = f"no square image becomes the {wanted} numbers that the first Dense layer takes"
        raise FormatError(cause, place=names[min(end, len(names) - 1)], fix="say what stands in the open places")
    return (Spec((1, *(low,) * axes, module.takes), dtype),)
