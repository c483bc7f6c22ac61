"""Layers that shall not learn, and that shall again."""

from collections.abc import Iterable

from zerfoo_jax.core.errors import GraphError, nearest
from zerfoo_jax.core.patterns import matches
from zerfoo_jax.graph.editing.draft import Draft
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.editing.place import Names, Place, everywhere, split_path
from zerfoo_jax.graph.shared import Shared
from zerfoo_jax.layers import Frozen, LoRA
from zerfoo_jax.layers.composites.frozen import awake, resting


def freeze(network: Network, *patterns: str) -> Network:
    """The network whose layers at these paths are `Frozen`: evaluation mode, their parameters moved into the state.

    A pattern is a path whose names may hold `*`, `?` and `[...]`; `**` stands for any number of names. Of a layer and a
    part of it that both match, the layer is frozen as a whole; layers without parameters and state stay as they are.
    In a `Sequential` a frozen layer is called `frozen_0` and so on. A node that others run as `Shared` is frozen for them too.
    Raises `GraphError` for a pattern that no layer with parameters matches.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.graph import graph_of
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(graph_of({"body": Dense(4), "head": Dense(3)}), jax.random.key(0), jnp.ones((1, 4)))
    >>> frozen = freeze(network, "b*")
    >>> sorted(frozen.params), frozen.state["body"]["params"]["kernel"] is network.params["body"]["kernel"]
    (['head'], True)
    """
    draft = Draft.of(network)
    reached = everywhere(Place((), network.model), closed=(Frozen, LoRA, Shared))
    found = [place for place in reached if any(draft.variables_of(place)) and not isinstance(place.layer, Frozen)]
    return frozen(draft, outermost(found, patterns)).finish(None, *network.specs)


def unfreeze(network: Network, *patterns: str) -> Network:
    """The network whose `Frozen` layers at these paths learn again: their parameters are moved back out of the state.

    Patterns are as for `freeze`; `**` are all. Raises `GraphError` for a pattern that no frozen layer matches.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Dense(4), jax.random.key(0), jnp.ones((1, 4)))
    >>> sorted(unfreeze(freeze(network, "**"), "**").params)
    ['bias', 'kernel']
    """
    draft = Draft.of(network)
    found = [place for place in everywhere(Place((), network.model)) if isinstance(place.layer, Frozen)]
    for place in reversed(outermost(found, patterns)):
        assert isinstance(place.layer, Frozen)
        draft = draft.replaced(place.names, place.layer.layer, *awake(draft.variables_of(place)[1]))
    return draft.finish(None, *network.specs)


def frozen(draft: Draft, places: Iterable[Place]) -> Draft:
    """The draft whose layers at these places, none within another, are frozen."""
    # From the last to the first: names within a Sequential count the layers in front.
    for place in reversed(list(places)):
        variables = draft.variables_of(place)
        draft = draft.replaced(place.names, Frozen(place.layer), state=resting(*variables))
    return draft


def outermost(places: Iterable[Place], patterns: Iterable[str]) -> list[Place]:
    """The places that one of the patterns matches, but not those within another one."""
    places, split = list(places), [split_path(pattern) for pattern in patterns]
    for pattern in split:
        if not any(matches(place.names, pattern) for place in places):
            paths = [place.path for place in places]
            raise GraphError(f"{'/'.join(pattern)!r} matches no such layer", fix=nearest("/".join(pattern), paths))
    chosen: list[Place] = []
    for place in places:
        inside = any(_starts(place.names, other.names) for other in chosen)
        if not inside and any(matches(place.names, pattern) for pattern in split):
            chosen.append(place)
    return chosen


def _starts(names: Names, beginning: Names) -> bool:
    return names[: len(beginning)] == beginning
