"""What can be wrong with the wiring of a graph, whatever its layers are."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from zerfoo_jax.core.errors import Problem, nearest

if TYPE_CHECKING:
    from zerfoo_jax.graph.graph import Graph, Node


def problems(graph: Graph, given: int) -> list[Problem]:
    """Every fault of the wiring, for a graph that is called with `given` inputs. Places are node names."""
    names = [node.name for node in graph.nodes]
    known = {*graph.inputs, *names}
    found = [
        Problem(f"the name {name!r} is used {count} times", name, "give every node and input a name of its own")
        for name, count in Counter((*graph.inputs, *names)).items()
        if count > 1
    ]
    for node in graph.nodes:
        if not node.inputs:
            found.append(Problem("the node has no inputs", node.name, "name what feeds it in `inputs`"))
        found += [
            Problem(f"input {name!r} does not exist", node.name, nearest(name, known - {node.name}))
            for name in node.inputs
            if name not in known
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
        found.append(Problem(f"nodes feed each other in a circle: {' -> '.join(loop)}", loop[0], "break the circle"))
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
