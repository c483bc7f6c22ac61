"""Which row of a picture each end of an edge stands in, and in which order: a layered drawing (Sugiyama et al., 1981).

Edges lead downwards. One that passes rows by goes through a bend in each of them, which takes a place of its own beside the
boxes; edges from one source share their bends. Rows are ordered for few crossings by sweeps that put every end at the mean
place of its neighbours in the row before.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

from zerfoo_jax.graph.views.outline import Outline
from zerfoo_jax.graph.views.wires import INPUT, OUTPUT, OWN

SWEEPS = 8
Rows = list[list[str]]
Ends = tuple[str, str]


@dataclass(frozen=True)
class Ranks:
    """Rows of ends and bends from first to last, and for every edge the ends and bends that it goes along, one a row."""

    rows: Rows
    routes: Mapping[Ends, tuple[str, ...]]

    def bends(self) -> set[str]:
        """The places in rows that edges only pass through."""
        return {bend for route in self.routes.values() for bend in route[1:-1]}


def ends_of(group: Outline) -> list[str]:
    """What stands in the picture of a group: its parts and joins, and those of its ports that edges meet."""
    met = {end for edge in group.edges for end in (edge.source, edge.target)}
    sources = [end for end in (*(f"{INPUT}{i}" for i in range(len(group.inputs))), OWN) if end in met]
    outputs = [end for i in range(len(group.outputs)) if (end := f"{OUTPUT}{i}") in met]
    return [*sources, *(child.name for child in group.children), *(join.name for join in group.joins), *outputs]


def ranked(group: Outline) -> Ranks:
    """The rows of a group.

    >>> import jax
    >>> from zerfoo_jax.graph.views.outline import outline
    >>> from zerfoo_jax.layers import Dense, Residual
    >>> ranked(outline(Residual(Dense(4)), jax.ShapeDtypeStruct((1, 4), "float32"))).rows
    [['/input:0'], ['inner', '/bend:1/input:0'], ['/join:0'], ['/output:0']]
    """
    ends, edges = ends_of(group), [(edge.source, edge.target) for edge in group.edges]
    rank = _ranks(ends, edges)
    routes = {(a, b): (a, *(f"/bend:{r}{_id(a)}" for r in range(rank[a] + 1, rank[b])), b) for a, b in edges}
    for (source, _), route in routes.items():
        rank |= {bend: rank[source] + i for i, bend in enumerate(route[1:-1], 1)}
    rows: Rows = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for end, row in rank.items():
        rows[row].append(end)
    return Ranks(_ordered(rows, {step for route in routes.values() for step in pairwise(route)}), routes)


def _id(end: str) -> str:
    return end if end.startswith("/") else f"/{end}"


def _ranks(ends: Sequence[str], edges: Sequence[Ends]) -> dict[str, int]:
    """The longest way from a beginning to each end; beginnings stand right before what they feed, outputs in the last row."""
    before, behind = _neighbours(ends, edges), _neighbours(ends, [(b, a) for a, b in edges])
    rank: dict[str, int] = {}
    for end in TopologicalSorter({end: before[end] for end in ends}).static_order():
        rank[end] = max((rank[source] + 1 for source in before[end]), default=0)
    for end in ends:
        if behind[end] and not before[end]:
            rank[end] = max(0, min(rank[target] for target in behind[end]) - 1)
    last = max([rank[end] for end in ends if end.startswith(OUTPUT)] + [r + 1 for e, r in rank.items() if e[:1] != "/"])
    return {end: last if end.startswith(OUTPUT) else rank[end] for end in ends}


def _neighbours(ends: Iterable[str], edges: Iterable[Ends]) -> dict[str, list[str]]:
    """For every end those before it."""
    found: dict[str, list[str]] = {end: [] for end in ends}
    for source, target in edges:
        found[target].append(source)
    return found


def _ordered(rows: Rows, steps: set[Ends]) -> Rows:
    """The rows in the order with the fewest crossings met."""
    ends = [end for row in rows for end in row]
    before, behind = _neighbours(ends, sorted(steps)), _neighbours(ends, sorted((b, a) for a, b in steps))
    best, fewest = rows, _crossings(rows, before)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        rows = _sweep(rows, before) if down else _sweep(rows[::-1], behind)[::-1]
        crossings = _crossings(rows, before)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _sweep(rows: Rows, neighbours: Mapping[str, Sequence[str]]) -> Rows:
    place: dict[str, float] = {}
    swept = []
    for row in rows:
        at = {end: float(i) for i, end in enumerate(row)}
        for end in row:
            known = [place[other] for other in neighbours[end] if other in place]
            at[end] = sum(known) / len(known) if known else at[end]
        swept.append(sorted(row, key=at.__getitem__))
        place |= {end: float(i) for i, end in enumerate(swept[-1])}
    return swept


def _crossings(rows: Rows, before: Mapping[str, Sequence[str]]) -> int:
    """How many pairs of steps between neighbouring rows cross."""
    total = 0
    for upper, lower in pairwise(rows):
        place, seen = {end: i for i, end in enumerate(upper)}, []
        for end in lower:
            starts = [place[source] for source in before[end]]
            total += sum(len(seen) - bisect_right(seen, start) for start in starts)
            for start in starts:
                insort(seen, start)
    return total
