"""What can be wrong with the wiring of a graph, whatever its layers are."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from zerfoo_jax.core.errors import MAX_LISTED, Problem, nearest

if TYPE_CHECKING:
    from zerfoo_jax.graph.graph import Graph, Node

MAX_HINTS = 10


def problems(graph: Graph, given: int) -> list[Problem]:
    """Every fault of the wiring, for a graph that is called with `given` inputs. Places are node names."""
    names = [node.name for node in graph.nodes]
    known = {*graph.inputs, *names}
    found = [
        Problem(f"the name {name!r} is used {count} times", name, "give every node and input a name of its own")
        for name, count in Counter((*graph.inputs, *names)).items()
        if count > 1
    ]
    found += [
        Problem(f"{name!r} cannot name a node or input", name, "use a name without `/`")
        for name in (*graph.inputs, *names)
        if not name or "/" in name  # paths of layers and parameters are joined by it
    ]
    unfed = [node.name for node in graph.nodes if not node.inputs]
    found += [Problem("the node has no inputs", name, "name what feeds it in `inputs`") for name in unfed]
    dangling = [(node.name, name) for node in graph.nodes for name in node.inputs if name not in known]
    # The likely spelling takes a look at every name: for the first faults only.
    found += [
        Problem(f"input {name!r} does not exist", at, nearest(name, known - {at}) if i < MAX_HINTS else "")
        for i, (at, name) in enumerate(dangling)
    ]
    found += [
        Problem(f"output {name!r} does not exist", "", nearest(name, known)) for name in graph.outputs if name not in known
    ]
    if not graph.outputs:
        found.append(Problem("the graph has no outputs", "", "name its results in `outputs`"))
    if given != len(graph.inputs):
        found.append(Problem(f"the graph takes {len(graph.inputs)} inputs {graph.inputs}, got {given}"))
    loop = cycle(graph)
    if loop:
        shown = loop if len(loop) <= MAX_LISTED else (*loop[: MAX_LISTED - 1], "...", loop[-1])
        found.append(Problem(f"nodes feed each other in a circle: {' -> '.join(shown)}", loop[0], "break the circle"))
    return found


def possible_order(graph: Graph) -> tuple[Node, ...]:
    """The nodes, each behind those that feed it; in their given order where they form a circle."""
    nodes = {node.name: node for node in graph.nodes}
    try:
        return tuple(nodes[name] for name in _sorter(graph).static_order())
    except CycleError:
        return graph.nodes


def cycle(graph: Graph) -> tuple[str, ...]:
    """The names along one circle of nodes, first and last the same; empty where there is none."""
    try:
        _sorter(graph).prepare()
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def _sorter(graph: Graph) -> TopologicalSorter[str]:
    names = {node.name for node in graph.nodes}
    return TopologicalSorter({node.name: [name for name in node.inputs if name in names] for node in graph.nodes})
