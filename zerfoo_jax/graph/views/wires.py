"""Who feeds whom inside a layer of layers, read off the program that its wiring traces to.

Every part is one equation of that program, of a primitive that exists for nothing else. What else stands there are plain
operations: one that takes a single value on leaves the wire as it is, and one that brings several together is a `Join`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jax.extend import core as jex

from zerfoo_jax.core.types import Spec

INPUT, OUTPUT, OWN = "/input:", "/output:", "/own"
"""Ends of wires that are no parts: inputs and outputs of the group by number, and its own parameters. No part has a slash."""
JOIN = "/join:"
SYMBOLS = {"add": "+", "add_any": "+", "sub": "−", "mul": "×", "div": "÷", "dot_general": "matmul", "concatenate": "concat"}

call_part = jex.Primitive("layer")
"""Stands for one run of a part; its option `place` names it, `outputs` gives what comes out."""
call_part.multiple_results = True
call_part.def_abstract_eval(lambda *inputs, place, outputs: list(outputs))


@dataclass(frozen=True)
class Edge:
    """A value on its way from one end to another: names of parts or joins, or the group's ports."""

    source: str
    target: str
    value: Spec


@dataclass(frozen=True)
class Join:
    """A plain operation, such as +, that several wires meet in."""

    name: str
    symbol: str


@dataclass(frozen=True)
class Wire:
    """The end that a value comes from, and the value as it left it."""

    end: str
    value: Spec


@dataclass
class Wiring:
    """The edges found so far, and the ends of the variables."""

    edges: dict[tuple[str, str], Edge] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    wires: dict[Any, Wire] = field(default_factory=dict)

    def connect(self, wires: Iterable[Wire], target: str) -> None:
        """Draws edges to a target, one from each source."""
        for wire in wires:
            self.edges.setdefault((wire.end, target), Edge(wire.end, target, wire.value))

    def arriving(self, variables: Sequence[Any]) -> list[Wire]:
        """The wires that end in these variables, one for each source."""
        found = [self.wires[v] for v in variables if not isinstance(v, jex.Literal) and v in self.wires]
        return list({wire.end: wire for wire in found}.values())

    def feeding(self, target: str) -> set[str]:
        """The sources of a target."""
        return {edge.source for edge in self.edges.values() if edge.target == target}


def wiring(jaxpr: Any) -> tuple[tuple[Edge, ...], tuple[Join, ...]]:
    """Edges and joins of a program whose first argument is a key that own parameters come from, the others the inputs."""
    found = Wiring()
    own, *inputs = jaxpr.invars
    found.wires[own] = Wire(OWN, _spec(own))
    found.wires |= {v: Wire(f"{INPUT}{i}", _spec(v)) for i, v in enumerate(inputs)}
    for equation in jaxpr.eqns:
        _follow(found, equation)
    for i, variable in enumerate(jaxpr.outvars):
        found.connect(found.arriving([variable]), f"{OUTPUT}{i}")
    _drop_dead_ends(found)
    _merge_chains(found)
    return tuple(found.edges.values()), tuple(Join(name, symbol) for name, symbol in found.symbols.items())


def _spec(variable: Any) -> Spec:
    return Spec(variable.aval.shape, variable.aval.dtype)


def _follow(found: Wiring, equation: Any) -> None:
    """Where the results of an equation come from."""
    arriving = found.arriving(equation.invars)
    if equation.primitive is call_part:
        place = equation.params["place"]
        found.connect(arriving, place)
        found.wires |= {v: Wire(place, _spec(v)) for v in equation.outvars}
    elif len(arriving) > 1:
        end = _met_before(found, arriving) or _join(found, equation, arriving)
        found.wires |= {v: Wire(end, _spec(v)) for v in equation.outvars}
    elif arriving and arriving[0].end in (OWN, *found.symbols):  # no one else names the shapes that these have now
        found.wires |= {v: Wire(arriving[0].end, _spec(v)) for v in equation.outvars}
    elif arriving:
        found.wires |= {v: arriving[0] for v in equation.outvars}


def _met_before(found: Wiring, arriving: Sequence[Wire]) -> str:
    """The join at which all these wires have met already, if there is one among them."""
    ends = {wire.end for wire in arriving}
    return next((end for end in ends if end in found.symbols and ends <= {end} | found.feeding(end)), "")


def _join(found: Wiring, equation: Any, arriving: Sequence[Wire]) -> str:
    primitive = equation.primitive.name
    name = str(equation.params.get("name", primitive)) if primitive in ("jit", "pjit") else primitive
    end = f"{JOIN}{len(found.symbols)}"
    found.symbols[end] = SYMBOLS.get(name, name.strip("_"))
    found.connect(arriving, end)
    return end


def _drop_dead_ends(found: Wiring) -> None:
    """Leaves out joins that feed nothing."""
    for end in reversed(found.symbols.copy()):  # a join feeds only later ones
        if all(edge.source != end for edge in found.edges.values()):
            del found.symbols[end]
            found.edges = {ends: edge for ends, edge in found.edges.items() if edge.target != end}


def _merge_chains(found: Wiring) -> None:
    """Makes one of joins of a kind in a row: (a + b) + c is one sum of three."""
    for end, symbol in list(found.symbols.items()):
        behind = [edge.target for edge in found.edges.values() if edge.source == end]
        if len(behind) == 1 and found.symbols.get(behind[0]) == symbol:
            del found.symbols[end]
            moved = [e for e in found.edges.values() if e.target == end]
            found.edges = {ends: e for ends, e in found.edges.items() if end not in ends}
            before = {ends: e for ends, e in found.edges.items() if e.target == behind[0]}
            found.edges = {ends: e for ends, e in found.edges.items() if e.target != behind[0]}
            found.connect((Wire(e.source, e.value) for e in (*moved, *before.values())), behind[0])
