"""From the names and shapes of tensors to the layers that they are probably of."""

from collections.abc import Mapping
import re
from typing import Any, Literal

import numpy as np

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.formats.limits import MAX_DEPTH, check_count
from zerfoo_jax.formats.names import flatten, nest
from zerfoo_jax.formats.structure import compound, simple
from zerfoo_jax.formats.structure.families import family_of
from zerfoo_jax.formats.structure.module import Module, Recogniser, shapes
from zerfoo_jax.formats.structure.proposal import Proposal

RECOGNISERS: tuple[Recogniser, ...] = (
    compound.fused_attention,
    compound.projected_attention,
    compound.gated_feed_forward,
    compound.recurrent,
    compound.loom_recurrent,
    simple.batch_norm,
    simple.weight_and_bias,
    simple.gamma_and_beta,
    simple.kernel_and_bias,
    simple.scale_and_bias,
    simple.embedding,
)
"""Asked in this order, for a module before those within it."""

MAX_TENSORS = 10_000
"""That are looked at, at every level that they are in."""

ROOT = "model"
"""What tensors are called that are in no module."""


def infer_structure(tensors: Mapping[str, np.ndarray], *, compatibility: Literal["loom"] | None = None) -> Proposal:
    """What model tensors are probably of, by their names and shapes alone.

    Every group of tensors becomes a layer with the reason for it and what it leaves open, such as strides; tensors that nothing
    is known about are listed. What tensors do not show at all, activations and pooling, is filled in with what is usual. With
    `compatibility="loom"` products are read as LOOM writes them: declared (out, in), but laid out (in, out), and always with a
    bias, so that a table without one is an embedding's. Raises `FormatError` for names of which one is within another, for over
    10,000 tensors and modules over 32 deep.

    >>> proposal = infer_structure({"0.weight": np.ones((3, 2)), "0.bias": np.ones(3), "2.weight": np.ones((1, 3))})
    >>> [(name, type(module.layer).__name__, module.confidence) for name, module in proposal.modules.items()]
    [('0', 'Dense', 'certain'), ('2', 'Dense', 'likely')]
    """
    check_count(len(tensors), MAX_TENSORS, "tensors of unknown structure", "the file")
    for name in tensors:
        check_count(name.count("."), MAX_DEPTH, "modules within modules", name)
    modules: dict[str, Module] = {}
    unknown: dict[str, str] = {}
    _walk("", nest(_unflattened(_relabelled(tensors) if compatibility else tensors)), modules, unknown)
    ordered = dict(sorted(modules.items(), key=lambda item: natural(item[0])))
    return Proposal(ordered, unknown, family_of(tensors))


def _relabelled(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """LOOM's tensors with the products' weights as they are declared, and tables without a bias called what they are."""
    found = dict(tensors)
    for name in [name for name, array in tensors.items() if array.ndim == 2]:
        if f"{name.removesuffix('weight')}bias" in tensors:
            found[name] = tensors[name].reshape(tensors[name].shape[::-1]).T
        elif name.rpartition(".")[2] == "weight":
            found[f"{name.removesuffix('weight')}embedding"] = found.pop(name)
    return found


def _unflattened(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The products that LOOM writes as one row, (in, out), with two axes: their bias tells how wide they are."""
    return {name: _wide(name, array, tensors) for name, array in tensors.items()}


def _wide(name: str, array: np.ndarray, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    stem = next((name.removesuffix(end) for end in ("_weight", ".kernel") if name.endswith(end)), None)
    bias = None if stem is None else tensors.get(f"{stem}{name[len(stem)]}bias")
    if array.ndim != 1 or bias is None or bias.ndim != 1 or not bias.size or array.size % bias.size:
        return array
    return array.reshape(-1, bias.size)


def natural(name: str) -> list[tuple[int, str]]:
    """A name's place in an order in which 2 comes before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,9})|\.", name) if part]


def _walk(name: str, tree: Mapping[str, Any], modules: dict[str, Module], unknown: dict[str, str]) -> None:
    arrays = flatten(tree)
    found = next(filter(None, (_recognised(recogniser, name, arrays) for recogniser in RECOGNISERS)), None)
    if found:
        modules[name or ROOT] = found
        return
    own = {key: value for key, value in tree.items() if not isinstance(value, Mapping)}
    if own:
        unknown[name or ROOT] = shapes(own)
    for key, inner in tree.items():
        if isinstance(inner, Mapping):
            _walk(f"{name}.{key}" if name else key, inner, modules, unknown)


def _recognised(recogniser: Recogniser, name: str, arrays: Mapping[str, np.ndarray]) -> Module | None:
    try:
        return recogniser(name, arrays)
    except (ConfigError, IndexError, ValueError):
        return None  # the names of such a layer with shapes that it cannot have
