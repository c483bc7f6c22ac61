"""Trained branches of several networks, side by side in one."""

from collections.abc import Sequence

from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, State
from zerfoo_jax.graph.editing.draft import Draft
from zerfoo_jax.graph.editing.freezing import frozen
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.editing.place import Names, Place, children, counterpart, split_path, trail
from zerfoo_jax.graph.shared import Shared
from zerfoo_jax.layers import Frozen, MixtureOfExperts, Parallel
from zerfoo_jax.layers.composites.frozen import resting
from zerfoo_jax.layers.composites.parallel import CombinationSpec

Branch = tuple[Layer, Params, State]


def graft(
    networks: Sequence[Network],
    *,
    at: str | Sequence[str] = "",
    combine: CombinationSpec | None = None,
    gate: Layer | None = None,
    train_only_gate: bool = False,
    anew: Sequence[str] = (),
    key: Array | None = None,
) -> Network:
    """The first network with, in the place of its layer `at`, those layers of all networks side by side, as they were trained.

    `at` is a path, or one for each network; "" are whole models. A layer there that is a `Parallel` gives each of its branches.
    With `combine`, a member of `COMBINATIONS`, the branches become a `Parallel`; with `gate`, a layer that gives one number for
    each branch, a `MixtureOfExperts` whose gate is new. `train_only_gate` freezes everything but the gate.
    With a last kernel of zeros all networks count alike at the start. On examples that they know by heart the surest one seems
    the best, so let the gate learn from others, or with a loss that does not pay for being sure, such as `cross_entropy` with
    label_smoothing = 0.1.
    `anew` are paths of further layers of the first network to initialise newly, such as one that takes a wider output now.
    Raises `GraphError` for unknown paths, and with every problem and its place where the branches do not fit together or into
    the first network.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense
    >>> two = [Network.new(Dense(3), jax.random.key(seed), jnp.ones((1, 4))) for seed in (0, 1)]
    >>> mixed = graft(two, gate=Dense(2, kernel_init="zeros"), train_only_gate=True, key=jax.random.key(2))
    >>> sorted(mixed.params), sorted(mixed.state)
    (['gate'], ['expert_0', 'expert_1'])
    """
    paths = [at] * len(networks) if isinstance(at, str) else list(at)
    if not networks or len(paths) != len(networks):
        raise GraphError(f"{len(networks)} networks and {len(paths)} paths do not go together", fix="give one path for each")
    if (combine is None) == (gate is None) or (train_only_gate and gate is None):
        raise GraphError("branches are put together by `combine` or weighed by a `gate`", fix="give one of the two")
    branches = [b for network, path in zip(networks, paths, strict=True) for b in _branches(network, split_path(path))]
    if train_only_gate:
        branches = [(Frozen(layer), {}, resting(params, state)) for layer, params, state in branches]
    layers = tuple(layer for layer, _, _ in branches)
    grafted = Parallel(layers, combine) if combine is not None else MixtureOfExperts(layers, gate=gate)
    names = [name for name in grafted.children() if name != "gate"]
    params = {name: own for name, (_, own, _) in zip(names, branches, strict=True) if own}
    state = {name: own for name, (_, _, own) in zip(names, branches, strict=True) if own}
    host, place = networks[0], split_path(paths[0])
    draft = Draft.of(host, anew).replaced(place, grafted, params, state)
    if train_only_gate:
        draft = frozen(draft, _around(draft, counterpart(host.model, draft.model, place)))
    return draft.finish(key, *host.specs)


def _branches(network: Network, names: Names) -> list[Branch]:
    draft, place = Draft.of(network), trail(network.model, names)[-1]
    if isinstance(place.layer, Shared):
        raise GraphError(f"{place.path!r} runs the layer of {place.layer.node!r}", place=place.path, fix="name that node")
    inside = list(map(place.child, children(place.layer))) if isinstance(place.layer, Parallel) else [place]
    return [(one.layer, *draft.variables_of(one)) for one in inside]


def _around(draft: Draft, names: Names) -> list[Place]:
    """The largest layers with parameters that neither hold nor are the layer of that path."""
    found: list[Place] = []
    for holder in trail(draft.model, names)[:-1]:
        beside = [holder.child(name) for name in children(holder.layer)]
        found += [place for place in beside if place.names != names[: len(place.names)]]
    return [place for place in found if any(draft.variables_of(place)) and not isinstance(place.layer, Frozen)]
