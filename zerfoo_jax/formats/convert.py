"""From one model file to another, and whether both say the same."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ConfigError, nearest
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.types import Array, Spec, Tree, spec_of
from zerfoo_jax.formats import detect, load
from zerfoo_jax.formats.dynamic import dynamic_specs, input_names
from zerfoo_jax.graph.editing.network import Network

FLOATING = ("float64", "float32", "float16", "bfloat16")
"""What the numbers of a network may be turned into and still be computed with."""

ROWS = 3
"""Of the inputs that two networks are compared on, unless told otherwise."""


def with_dtype(network: Network, dtype: str) -> Network:
    """The network with its floating-point parameters, state and inputs in another dtype.

    Raises `ConfigError` for one that networks are not computed in.
    """
    if dtype not in FLOATING:
        raise ConfigError(f"dtype = {dtype!r}: networks are not computed in it", place="dtype", fix=nearest(dtype, FLOATING))
    wanted = np.dtype(jnp.dtype(dtype))

    def converted(x: Any) -> Any:
        if not jnp.issubdtype(x.dtype, jnp.floating) or x.dtype == wanted:
            return x
        return Spec(x.shape, wanted) if isinstance(x, Spec) else np.asarray(x).astype(wanted)

    params, state, specs = jax.tree.map(converted, (network.params, network.state, network.specs))
    return replace(network, params=params, state=state, specs=specs)


@dataclass(frozen=True)
class Difference:
    """How far two functions are apart: the largest difference between their outputs, and the largest output."""

    largest: float
    scale: float

    @property
    def relative(self) -> float:
        """The largest difference as a part of the largest output; infinite where either is not finite."""
        if not np.isfinite(self.largest) or not np.isfinite(self.scale):
            return float("inf")
        return self.largest / max(self.scale, 1e-30) if self.largest else 0.0


def compare(network: Network, path: Path, *, seed: int = 0, rows: int = ROWS, **options: Any) -> Difference:
    """How far the model in a file is from the network, on rows of random inputs; options are those of reading it.

    Files may hold pictures channels first, or flat: the inputs are arranged as the file's model takes them. Where sizes do not
    tell, the arrangement counts that agrees better.
    """
    inputs, theirs = random_inputs(network, seed, rows), function_of(path, **options)
    taken = theirs.specs if isinstance(theirs, Network) else tuple(map(spec_of, inputs))
    run = _compiled(theirs) if isinstance(theirs, Network) else theirs
    given = [inputs, *(tuple(map(arrange, inputs)) for arrange in ARRANGEMENTS if any(x.ndim > 2 for x in inputs))]
    fitting = [xs for xs in given if all(x.shape[1:] == spec.shape[1:] for x, spec in zip(xs, taken, strict=True))] or [inputs]
    wanted = _compiled(network)(*inputs)
    return min((difference(wanted, run(*xs)) for xs in fitting), key=lambda found: found.relative)


def function_of(path: Path, **options: Any) -> Network | Callable[..., Tree]:
    """What a file holds: a network, or a function from inputs to outputs of a format that cannot be read as a network."""
    found = detect(path)
    return found.call("load_function", path, **options) if found.can("load_function") else load(path, **options)


def _channels_first(x: Array) -> Array:
    return jnp.moveaxis(x, -1, 1) if x.ndim > 2 else x


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1) if x.ndim > 2 else x


ARRANGEMENTS: tuple[Callable[[Array], Array], ...] = (_channels_first, _flat)
"""How else than as it is a file's model may take an input of ours."""


def _compiled(network: Network) -> Callable[..., Tree]:
    """The network's evaluation on inputs of any floating dtype, parameters as arguments so that they are not compiled in."""
    run = jax.jit(lambda params, state, *inputs: network.model.apply(params, state, *inputs)[0])

    def evaluate(*inputs: Array) -> Tree:
        fitting = (x.astype(spec.dtype) for x, spec in zip(inputs, network.specs, strict=True))
        return run(network.params, network.state, *fitting)

    return evaluate


def random_inputs(network: Network, seed: int = 0, rows: int = ROWS) -> tuple[Array, ...]:
    """Inputs to compare networks on: numbers from a normal distribution; integers are 0 or 1, as all indices may be."""
    key = jax.random.key(seed)
    specs = zip(input_names(network), dynamic_specs(network, rows), strict=True)
    return tuple(_random(fold_in_name(key, name), spec) for name, spec in specs)


def _random(key: Array, spec: Spec) -> Array:
    if jnp.issubdtype(spec.dtype, jnp.floating):
        return jax.random.normal(key, spec.shape, spec.dtype)
    return jax.random.bernoulli(key, 0.5, spec.shape).astype(spec.dtype)


def difference(ours: Tree, theirs: Tree) -> Difference:
    """How far outputs are apart; theirs may have channels first. Those of other shapes are infinitely far apart."""
    pairs = list(zip_longest(map(_wide, jax.tree.leaves(ours)), map(_wide, jax.tree.leaves(theirs)), fillvalue=np.empty(())))
    pairs = [(x, np.moveaxis(y, 1, -1) if y.ndim > 2 and y.shape != x.shape else y) for x, y in pairs]
    if any(x.shape != y.shape for x, y in pairs):
        return Difference(float("inf"), float("inf"))
    scale = max((np.abs(x).max(initial=0.0) for x, _ in pairs), default=0.0)
    largest = max((np.abs(x - y).max(initial=0.0) for x, y in pairs), default=0.0)
    return Difference(float(largest), float(scale))


def _wide(x: Any) -> np.ndarray:
    return np.asarray(x).astype(np.float64)
