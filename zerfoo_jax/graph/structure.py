"""What can be wrong with the wiring of a graph, whatever its layers are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from zerfoo_jax.core.errors import MAX_LISTED, Problem, nearest
from zerfoo_jax.graph.node import Node, source
from zerfoo_jax.graph.shared import Shared

Names = tuple[str, ...]
MAX_HINTS = 10


def problems(inputs: Names, nodes: Sequence[Node], outputs: Names, given: int) -> list[Problem]:
    """Every fault of the wiring of a graph that is called with `given` inputs. Places are node names."""
    found = [*_naming(inputs, nodes), *_feeding(inputs, nodes), *_sharing(nodes), *_output_problems(inputs, nodes, outputs)]
    if given != len(inputs):
        found.append(Problem(wrong_number(inputs, given)))
    # A name that an input has too is a fault of its own.
    for loop in cycles([node for node in nodes if node.name not in inputs]):
        shown = loop if len(loop) <= MAX_LISTED else (*loop[: MAX_LISTED - 1], "...", loop[-1])
        found.append(Problem(f"nodes feed each other in a circle: {' -> '.join(shown)}", loop[0], "break the circle"))
    return found


def wrong_number(inputs: Names, given: int) -> str:
    """What is wrong with a call of a graph with so many inputs."""
    return f"the graph takes {len(inputs)} inputs {inputs}, got {given}"


def _naming(inputs: Names, nodes: Sequence[Node]) -> Iterator[Problem]:
    for name, count in Counter((*inputs, *(node.name for node in nodes))).items():
        if count > 1:
            yield Problem(f"the name {name!r} is used {count} times", name, "give every node and input a name of its own")
        if not name or "/" in name or ":" in name:  # they join paths, and name one of several outputs
            yield Problem(f"{name!r} cannot name a node or input", name, "use a name without `/` and `:`")


def _feeding(inputs: Names, nodes: Sequence[Node]) -> Iterator[Problem]:
    known = {*inputs, *(node.name for node in nodes)}
    hints = 0
    for node in nodes:
        if not node.inputs and not node.layer.is_source:
            yield Problem("the node has no inputs", node.name, "name what feeds it in `inputs`")
        for name in node.inputs:
            if known.isdisjoint((name, source(name)[0])):
                hints += 1  # the likely spelling takes a look at every name: for the first faults only
                hint = nearest(name, known - {node.name}) if hints <= MAX_HINTS else ""
                yield Problem(f"input {name!r} does not exist", node.name, hint)


def _sharing(nodes: Sequence[Node]) -> Iterator[Problem]:
    owners = {node.name for node in nodes if not isinstance(node.layer, Shared)}
    for node in nodes:
        if isinstance(node.layer, Shared) and node.layer.node not in owners:
            yield Problem(f"no node {node.layer.node!r} has a layer to share", node.name, nearest(node.layer.node, owners))


def _output_problems(inputs: Names, nodes: Sequence[Node], outputs: Names) -> Iterator[Problem]:
    known = {*inputs, *(node.name for node in nodes)}
    if not outputs:
        yield Problem("the graph has no outputs", "", "name its results in `outputs`")
    for name in outputs:
        if known.isdisjoint((name, source(name)[0])):
            yield Problem(f"output {name!r} does not exist", "", nearest(name, known))


def possible_order(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes, each behind those that feed it; in their given order where they form a circle."""
    named = {node.name: node for node in nodes}
    try:
        return tuple(named[name] for name in _sorter(nodes).static_order())
    except CycleError:
        return nodes


def cycles(nodes: Sequence[Node]) -> Iterator[Names]:
    """The names along circles of nodes that have none in common, first and last the same; some ten at most."""
    for _ in range(MAX_HINTS):
        try:
            return _sorter(nodes).prepare()
        except CycleError as error:
            loop = tuple(error.args[1])
        yield loop
        nodes = [node for node in nodes if node.name not in loop]


def _sorter(nodes: Sequence[Node]) -> TopologicalSorter[str]:
    names = {node.name for node in nodes}
    return TopologicalSorter(
        {node.name: [origin for name in node.inputs if (origin := source(name)[0]) in names] for node in nodes}
    )
