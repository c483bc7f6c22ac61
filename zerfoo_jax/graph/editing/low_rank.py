"""Fine-tuning by low-rank changes, put into a network and made part of it."""

from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.fields import Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array
from zerfoo_jax.graph.editing.draft import Draft
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.editing.place import Place, everywhere, split_path, trail
from zerfoo_jax.layers import LoRA
from zerfoo_jax.layers import merge_lora as merged
from zerfoo_jax.layers.composites.frozen import resting


def add_lora(
    network: Network,
    *patterns: str,
    rank: int,
    alpha: float,
    at: str = "",
    dropout: Probability = 0.0,
    key: Array,
) -> Network:
    """The network whose layer `at` a path ("" is all of it) is a `LoRA`: of that layer only low-rank changes learn.

    The patterns say which kernels change: they are matched with the paths of the kernels' layers in the parameters of the layer
    `at`, as `LoRA` describes; without one, all do. Raises `GraphError` for a pattern that no kernel matches.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense, Sequential, Stack
    >>> network = Network.new(Sequential((Stack(Dense(4), 3),)), jax.random.key(0), jnp.ones((1, 4)))
    >>> tuned = add_lora(network, "stack_0", rank=2, alpha=4.0, key=jax.random.key(1))
    >>> jax.tree.map(jnp.shape, tuned.params)
    {'stack_0': {'down': {'kernel': (3, 4, 2)}, 'up': {'kernel': (3, 2, 4)}}}
    """
    names = split_path(at)
    place, draft = trail(network.model, names)[-1], Draft.of(network)
    layer = LoRA(place.layer, rank, alpha, patterns or ("**",), dropout)
    return draft.replaced(names, layer, state=resting(*draft.variables_of(place))).finish(key, *network.specs)


def merge_lora(network: Network) -> Network:
    """The network with plain layers in the place of every `LoRA`, the changes added to their kernels.

    Raises `GraphError` where there is none.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Dense(3), jax.random.key(0), jnp.ones((1, 4)))
    >>> sorted(merge_lora(add_lora(network, rank=2, alpha=4.0, key=jax.random.key(1))).params)
    ['bias', 'kernel']
    """
    draft = Draft.of(network)
    if _first(network.model) is None:
        raise GraphError("the network has no LoRA to merge", fix="add_lora makes one")
    while found := _first(draft.model):
        place, layer = found
        draft = draft.replaced(place.names, *merged(layer, *draft.variables_of(place)))
    return draft.finish(None, *network.specs)


def _first(model: Layer) -> tuple[Place, LoRA] | None:
    """The first LoRA of a model, the outer one of those within each other: it changes the inner one's kernels."""
    return next(((p, p.layer) for p in everywhere(Place((), model)) if isinstance(p.layer, LoRA)), None)
