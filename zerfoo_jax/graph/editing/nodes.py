"""Single layers: another one in the place of one, one more, one less, another name."""

from collections.abc import Sequence
from dataclasses import replace as with_fields
from typing import Any

from zerfoo_jax.core.errors import GraphError, nearest
from zerfoo_jax.core.layer import MODEL, Layer
from zerfoo_jax.core.types import Array
from zerfoo_jax.graph.editing.draft import Draft, Renames
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.editing.place import Names, children, split_path, trail
from zerfoo_jax.graph.editing.wires import expect_wire, rename_node, rewire
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.node import Node
from zerfoo_jax.layers import Sequential


def replace(network: Network, path: str, layer: Layer, *, anew: Sequence[str] = (), key: Array | None = None) -> Network:
    """The network with another layer at a path, newly initialised; "" is the model itself.

    `anew` are paths of further layers to initialise newly, such as those whose parameters do not fit the new layer's output.

    Raises `GraphError` for an unknown path and, with every problem and its place, where the layers around do not fit any more.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.models import mlp
    >>> network = Network.new(mlp(features=3, hidden=(8,)), jax.random.key(0), jnp.ones((1, 4)))
    >>> changed = replace(network, "dense_1", Sequential((network.model.layers[-1],)), key=jax.random.key(1))
    >>> sorted(changed.params), changed.params["dense_0"]["kernel"] is network.params["dense_0"]["kernel"]
    (['dense_0', 'sequential_0'], True)
    """
    return Draft.of(network, anew).replaced(split_path(path), layer).finish(key, *network.specs)


def insert(
    network: Network,
    layer: Layer,
    *,
    after: str | None = None,
    before: str | None = None,
    name: str | None = None,
    anew: Sequence[str] = (),
    key: Array | None = None,
) -> Network:
    """The network with one more layer, after or before that at a path.

    In a graph it is a node called `name`. After a node (or one of its outputs, `split:1`, or an input of the graph) it takes
    that output, and all that took that output take its own. Before a node it takes what the node took, which has to be one
    wire. In a `Sequential` the children are renumbered, and their parameters follow. `anew` is that of `replace`.
    Raises `GraphError` as `replace` does, and where the path is in no graph or `Sequential`.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Sequential((Dense(4), Dense(3))), jax.random.key(0), jnp.ones((1, 4)))
    >>> deeper = insert(network, Dense(4), before="dense_0", key=jax.random.key(1))
    >>> deeper.params["dense_2"]["kernel"] is network.params["dense_1"]["kernel"]
    True
    """
    path = before if after is None else after
    if path is None or (after is not None and before is not None):
        raise GraphError(f"insert got after = {after!r} and before = {before!r}", fix="give one of the two")
    *outer, at = split_path(path) or ("",)
    draft, names = Draft.of(network, anew), tuple(outer)
    holder = trail(network.model, names)[-1].layer
    if isinstance(holder, Graph):
        return draft.rebuilt(names, _with_node(holder, at, layer, name, after is None, names), {}).finish(key, *network.specs)
    if not isinstance(holder, Sequential):
        raise GraphError(
            f"a {type(holder).__name__} takes no further layer", place=path, fix="insert into a graph or a Sequential"
        )
    if name is not None:
        raise GraphError(
            f"name = {name!r}: layers of a Sequential are named by kind and number", place=path, fix="leave it out"
        )
    trail(network.model, (*names, at))
    position = list(holder.children()).index(at) + (after is not None)
    renewed = Sequential((*holder.layers[:position], layer, *holder.layers[position:]))
    new = list(renewed.children())
    renames = dict(zip(holder.children(), new[:position] + new[position + 1 :], strict=True))
    return draft.rebuilt(names, renewed, renames).finish(key, *network.specs)


def remove(network: Network, path: str, *, anew: Sequence[str] = (), key: Array | None = None) -> Network:
    """The network without the layer at a path: what took its output takes what it took. `anew` is that of `replace`.

    Raises `GraphError` as `replace` does, for a node with several inputs whose output is used, and where the path is in no
    graph or `Sequential`.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Sequential((Dense(4), Dense(4), Dense(3))), jax.random.key(0), jnp.ones((1, 4)))
    >>> remove(network, "dense_0").params["dense_0"]["kernel"] is network.params["dense_1"]["kernel"]
    True
    """
    *outer, name = split_path(path) or ("",)
    names = tuple(outer)
    holder = trail(network.model, (*names, name))[-2].layer
    renames: Renames
    if isinstance(holder, Graph):
        renewed, renames = _without_node(holder, name, path), {name: None}
    elif isinstance(holder, Sequential):
        position = list(holder.children()).index(name)
        renewed = Sequential(holder.layers[:position] + holder.layers[position + 1 :])
        new: list[str | None] = list(renewed.children())
        renames = dict(zip(holder.children(), [*new[:position], None, *new[position:]], strict=True))
    else:
        kind = type(holder).__name__
        raise GraphError(f"a {kind} needs its {name!r}", place=path, fix=f"replace it, or remove the {kind} as a whole")
    return Draft.of(network, anew).rebuilt(names, renewed, renames).finish(key, *network.specs)


def rename(network: Network, path: str, name: str) -> Network:
    """The network whose node or graph input at a path has another name; its parameters follow, and so do wires and `Shared`.

    Raises `GraphError` for an unknown path, a name in use, and a path in no graph: other parts are named by their kind.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.graph import graph_of
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(graph_of({"fc": Dense(4)}), jax.random.key(0), jnp.ones((1, 4)))
    >>> sorted(rename(network, "fc", "head").params)
    ['head']
    """
    *outer, old = split_path(path) or ("",)
    names = tuple(outer)
    holder = trail(network.model, names)[-1].layer
    if not isinstance(holder, Graph):
        trail(network.model, (*names, old))
        raise GraphError(f"parts of a {type(holder).__name__} have no names of their own", place=path, fix="rename nodes")
    taken = {*holder.input_names, *children(holder)}
    if old not in taken:
        raise GraphError(f"the Graph at {'/'.join(names) or MODEL} has no node {old!r}", place=path, fix=nearest(old, taken))
    if name in taken - {old}:
        raise GraphError(f"the name {name!r} is in use", place="/".join((*names, name)), fix="choose another")
    draft = Draft.of(network).rebuilt(names, rename_node(holder, old, name), {old: name})
    return draft.finish(None, *network.specs)


def _with_node(graph: Graph, at: str, layer: Layer, name: str | None, before: bool, outer: Names) -> Graph:
    if not name:
        raise GraphError("a node needs a name", place="/".join((*outer, at)), fix="pass name=...")
    wire = expect_wire(graph, at, outer)
    if not before:
        node = Node(name, layer, (wire,))
        changed = rewire(graph, wire, name)
        return with_fields(changed, nodes=_next_to(changed.nodes, node, at, 1))
    fed = _node(graph, at, outer)
    if len(fed.inputs) != 1:
        raise GraphError(
            f"{at!r} takes {len(fed.inputs)} inputs {fed.inputs}: it is not clear which the new layer should take",
            place="/".join((*outer, at)),
            fix="insert after one of them",
        )
    nodes = tuple(with_fields(n, inputs=(name,)) if n.name == at else n for n in graph.nodes)
    return with_fields(graph, nodes=_next_to(nodes, Node(name, layer, fed.inputs), at, 0))


def _next_to(nodes: tuple[Node, ...], node: Node, at: str, offset: int) -> tuple[Node, ...]:
    """The nodes with one more beside that called `at`; in front where it is an input of the graph."""
    names = [other.name for other in nodes]
    own = at.rpartition(":")[0] or at
    position = names.index(own) + offset if own in names else 0
    return (*nodes[:position], node, *nodes[position:])


def _node(graph: Graph, name: str, outer: Names) -> Node:
    found = [node for node in graph.nodes if node.name == name]
    if not found:
        place = "/".join((*outer, name))
        raise GraphError(f"{name!r} is no node", place=place, fix=nearest(name, (node.name for node in graph.nodes)))
    return found[0]


def _without_node(graph: Graph, name: str, path: str) -> Any:
    node = _node(graph, name, ())
    used = name in {wire for wires in (graph.outputs, *(n.inputs for n in graph.nodes)) for wire in wires}
    if used and len(node.inputs) != 1:
        raise GraphError(
            f"{name!r} takes {len(node.inputs)} inputs {node.inputs}: it is not clear which should go on in its place",
            place=path,
            fix="replace it with a layer that takes them all",
        )
    graph = rewire(graph, name, node.inputs[0]) if used else graph
    return with_fields(graph, nodes=tuple(n for n in graph.nodes if n.name != name))
