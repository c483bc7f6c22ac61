"""Whether the operators of a graph fit together, whatever they compute."""

from collections.abc import Iterable, Iterator

from zerfoo_jax.core.errors import FormatError, Problem, brief
from zerfoo_jax.formats.limits import MAX_DEPTH
from zerfoo_jax.formats.operators.graph import Attribute, OperatorGraph, OperatorNode


def check_wiring(graph: OperatorGraph, place: str) -> None:
    """Raises one `FormatError` with every value that is made twice, or used before it is there."""
    problems = list(_problems(graph, place, frozenset(), 0))
    if problems:
        raise FormatError(problems)


def sub_graphs(node: OperatorNode) -> Iterator[OperatorGraph]:
    """The graphs in a node's attributes."""
    for value in node.attributes.values():
        yield from graphs_in(value)


def graphs_in(value: Attribute) -> Iterable[OperatorGraph]:
    """The graphs that an attribute holds."""
    items = value if isinstance(value, tuple) else (value,)
    return [item for item in items if isinstance(item, OperatorGraph)]


def captured(graph: OperatorGraph) -> tuple[str, ...]:
    """The values of the graph around it that a sub-graph uses, in the order of their first use."""
    made = {value.name for value in graph.inputs} | graph.parameters.keys()
    found: dict[str, None] = {}
    for node in graph.nodes:
        inner = [name for sub in sub_graphs(node) for name in captured(sub)]
        found |= dict.fromkeys(name for name in (*node.inputs, *inner) if name and name not in made)
        made |= set(node.outputs)
    return tuple(found | dict.fromkeys(value.name for value in graph.outputs if value.name not in made))


def captured_by(node: OperatorNode) -> tuple[str, ...]:
    """The values of the graph around it that the graphs in a node's attributes use, beyond the node's own inputs."""
    return tuple(dict.fromkeys(name for sub in sub_graphs(node) for name in captured(sub)))


def _problems(graph: OperatorGraph, place: str, outer: frozenset[str], depth: int) -> Iterator[Problem]:
    if depth > MAX_DEPTH:
        yield Problem(f"graphs within graphs, deeper than {MAX_DEPTH}", place)
        return
    own: set[str] = set(graph.parameters)
    visible = {*outer, *own}
    for value in graph.inputs:
        yield from _made(value.name, own, place)
        visible.add(value.name)
    for i, node in enumerate(graph.nodes):
        at = f"{place}, node {node.name or i} ({node.op_type})"
        for name in node.inputs:
            if name and name not in visible:
                yield Problem(f"the input {brief(name)} is made by nothing before it", at)
        inner = frozenset(visible) if any(True for _ in sub_graphs(node)) else frozenset()
        for sub in sub_graphs(node):
            yield from _problems(sub, at, inner, depth + 1)
        for name in filter(None, node.outputs):
            yield from _made(name, own, at)
            visible.add(name)
    if not graph.outputs:
        yield Problem("the graph has no outputs", place)
    for value in graph.outputs:
        if value.name not in visible:
            yield Problem(f"the output {brief(value.name)} is made by nothing", place)


def _made(name: str, own: set[str], place: str) -> Iterator[Problem]:
    if name in own:
        yield Problem(f"the value {brief(name)} is made twice", place)
    own.add(name)
