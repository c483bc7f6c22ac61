"""A trained network on codes in the place of its kernels, after training (arXiv 1712.05877, arXiv 2004.09602)."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.core.types import Array
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.layers import Quantized
from zerfoo_jax.layers.composites.frozen import resting
from zerfoo_jax.layers.quantized.forms import Names
from zerfoo_jax.layers.quantized.watch import watched
from zerfoo_jax.numeric.calibration import Histogram, calibration, observe

To = Literal["int8", "uint8", "int4", "float8_e4m3fn"]
Seen = dict[Names, dict[tuple[int, ...], Histogram]]


def quantize_network(
    network: Network,
    *,
    to: To = "int8",
    weight_only: bool = False,
    calibrate: Iterable[Sequence[Array]] | None = None,
    method: str = "minmax",
    block: int | None = None,
) -> Network:
    """The network with its model in a `Quantized`, which says what runs on codes and what stays as it is.

    `calibrate` are batches of the network's inputs: on them the ranges of the activations are found, by `method` (minmax,
    percentile or entropy), and kept. Without them each input has a range of its own at every call; `weight_only` leaves
    activations alone. int4 is weight-only, and `block` gives a scale to each so many weights of a channel.

    Raises `ConfigError` for an unknown method, options that do not go together and a network without kernels to quantise,
    such as one of operators or one that is on codes already, `DataError` for batches that are not
    finite or none.

    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Dense(3), jax.random.key(0), jnp.ones((1, 64)))
    >>> small = quantize_network(network, calibrate=[(jnp.ones((5, 64)),)])
    >>> small.state["params"]["kernel"]["codes"].dtype, float(small.state["params"]["kernel"]["input_scale"] * 127)
    (dtype('int8'), 1.0)
    """
    find = calibration(method)
    if weight_only and calibrate is not None:
        raise ConfigError("weight_only = True needs no calibration", fix="leave out one of the two")
    activations = "float" if weight_only else "dynamic" if calibrate is None else "static"
    model = Quantized(network.model, to, activations, block)
    seen = {} if calibrate is None else _observed(network, calibrate)
    levels = 255 if to == "uint8" else 128

    def ranges(path: Names) -> tuple[Any, Any]:
        if path not in seen:
            raise DataError(f"no batch reached the kernel at {'/'.join(path)}", fix="calibrate on batches that run every layer")
        found = {index: find(histogram, levels) for index, histogram in seen[path].items()}
        shape = tuple(np.max(list(found), axis=0) + 1) if () not in found else ()
        ends = np.empty((2, *shape), np.float32)
        for index, pair in found.items():
            ends[(slice(None), *index)] = pair
        return ends[0], ends[1]

    params = model.encoded(jax.tree.map(np.asarray, network.params), ranges)
    if not any(path[-1].key == "codes" for path, _ in jax.tree.leaves_with_path(params)):
        raise ConfigError(
            f"nothing in the network gets codes of {to}: it has no layers with kernels that do, or has codes already",
            place="quantize",
            fix="quantise a network of layers, before it becomes operators",
        )
    return Network(model, {}, resting(jax.tree.map(jnp.asarray, params), network.state), network.specs)


def _observed(network: Network, batches: Iterable[Sequence[Array]]) -> Seen:
    """Histograms of what reaches each kernel."""
    seen: Seen = {}

    def note(path: Names, index: tuple[int, ...], x: Array) -> None:
        own = seen.setdefault(path, {})
        own[index] = observe(own.get(index, Histogram.empty()), np.asarray(x))

    params = watched(network.model, network.params, note)
    with jax.disable_jit():
        for batch in batches:
            network.model.apply(params, network.state, *batch)
    return seen
