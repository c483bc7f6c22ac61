"""Coordinates, in pixels: every open group is laid out by itself and then is one box of the group around it.

A box stands in a cell, with the shapes on its outgoing edges written below it. Cells of a row do not overlap; edges run
straight down past a row, at their own place in it, and curve only between rows. So no edge meets a foreign box or label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from zerfoo_jax.graph.views.drawing import lanes, text
from zerfoo_jax.graph.views.drawing.ranks import Ends, Ranks, ends_of, ranked
from zerfoo_jax.graph.views.outline import Outline
from zerfoo_jax.graph.views.wires import INPUT, JOIN, OUTPUT

NAME, SMALL = 13.0, 11.0
"""Sizes of fonts, of names and of all else."""
LINE, PAD, LABEL = 17.0, 10.0, 15.0
"""Height of a line in a box, room around text, height of a line under a box."""
APART, ASIDE, BETWEEN, FRAME = 26.0, 16.0, 22.0, 14.0
"""Room between cells of a row, beside an edge that passes it, between rows, and inside a group's border."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Cell:
    """A box, where from its left edges come in and go out, the shapes below it, and what it shows inside if it is open."""

    width: float
    height: float
    entry: float
    exit: float
    labels: tuple[str, ...] = ()
    group: "Plan | None" = None

    @property
    def right(self) -> float:
        """Room that it and its labels take to the right of where edges come in."""
        labels = max((text.width(label, SMALL) for label in self.labels), default=0)
        return max(self.width, self.exit + 6 + labels) - self.entry

    @property
    def below(self) -> float:
        """Room that the labels take."""
        return LABEL * len(self.labels) + 3 * bool(self.labels)


BEND = Cell(0, 0, 0, 0)
"""Where an edge passes a row."""


def box(width: float, height: float, labels: tuple[str, ...] = ()) -> Cell:
    """A box whose edges come in and go out at its middle."""
    return Cell(width, height, width / 2, width / 2, labels)


@dataclass(frozen=True)
class Plan:
    """The picture of an open group: cells with the upper left corners of their boxes, and edges as points from end to end.

    Between points in one column an edge is straight, between others it curves.
    """

    width: float
    height: float
    cells: Mapping[str, tuple[Point, Cell]]
    routes: Mapping[Ends, tuple[Point, ...]]


def plan(group: Outline, depth: int, root: bool = True) -> Plan:
    """The picture of a group in which groups are open down to that depth."""
    ranks = ranked(group)
    cells = {end: _cell(group, end, depth, root) for end in ends_of(group)} | dict.fromkeys(ranks.bends(), BEND)
    shift = {end: cell.exit - cell.entry for end, cell in cells.items()}
    middles = lanes.middles(ranks, shift, lambda a, b: _apart(cells[a], cells[b]))
    tops, heights = _rows(ranks, cells, middles, FRAME + (0 if root else LINE + 6))
    leftmost = min(middles[end] - cells[end].entry for end in middles)
    widest = max(middles[end] + cells[end].right for end in middles) - leftmost
    title = 0 if root else text.width(" ".join(text.captions(group)), NAME) + 2 * PAD
    inner = max(widest, title - 2 * FRAME)
    start = FRAME - leftmost + (inner - widest) / 2
    middles = {end: x + start for end, x in middles.items()}
    corners = {}
    for row, top, height in zip(ranks.rows, tops, heights, strict=True):
        for end in row:
            cell = cells[end]
            corners[end] = (middles[end] - cell.entry, top + (height - cell.height - cell.below) / 2)
    bands = {end: (top, top + height) for row, top, height in zip(ranks.rows, tops, heights, strict=True) for end in row}
    arrivals = _arrivals(ranks, cells, middles)
    routes = {ends: _route(ranks.routes[ends], middles, bands, corners, cells, arrivals[ends]) for ends in ranks.routes}
    placed = {end: (corners[end], cells[end]) for end in ends_of(group)}
    return Plan(inner + 2 * FRAME, tops[-1] + heights[-1] + FRAME, placed, routes)


def _cell(group: Outline, end: str, depth: int, root: bool) -> Cell:
    labels = text.leaving(group, end)
    if end.startswith(JOIN):
        symbol = text.end_name(group, end)
        return box(max(24, text.width(symbol, SMALL) + 16), 24, labels)
    if end.startswith("/"):
        return (
            box(8, 8) if text.is_dot(group, end, root) else box(text.width(text.end_name(group, end), SMALL) + 16, 20, labels)
        )
    child = next(child for child in group.children if child.name == end)
    if child.children and depth > 1:
        inside = plan(child, depth - 1, root=False)
        return Cell(inside.width, inside.height, _port(inside, INPUT), _port(inside, OUTPUT), labels, inside)
    name, kind = text.captions(child)
    return box(max(text.width(name, NAME), text.width(kind, SMALL)) + 2 * PAD, 2 * LINE + 10, labels)


def _port(inside: Plan, kind: str) -> float:
    """Where edges meet an open group: at its only port of that kind, or else at its middle."""
    ports = [x + cell.entry for end, ((x, _), cell) in inside.cells.items() if end.startswith(kind)]
    return ports[0] if len(ports) == 1 else inside.width / 2


def _apart(cell: Cell, right: Cell) -> float:
    return right.entry + cell.right + (ASIDE if BEND in (cell, right) else APART)


def _rows(ranks: Ranks, cells: Mapping[str, Cell], middles: Mapping[str, float], top: float) -> tuple[list, list]:
    """Top and height of every row; rows with long ways between them stand further apart."""
    heights = [max(cells[end].height + cells[end].below for end in row) for row in ranks.rows]
    reach = dict.fromkeys((end for row in ranks.rows for end in row), 0.0)
    for route in ranks.routes.values():
        for a, b in pairwise(route):
            reach[a] = max(reach[a], abs(middles[a] - middles[b]))
    tops = []
    for row, height in zip(ranks.rows, heights, strict=True):
        tops.append(top)
        top += height + BETWEEN + min(60.0, 0.08 * max(reach[end] for end in row))
    return tops, heights


def _arrivals(ranks: Ranks, cells: Mapping[str, Cell], middles: Mapping[str, float]) -> dict[Ends, float]:
    """The x at which each edge meets its target: at a join all in one point, elsewhere side by side as they come."""
    coming: dict[str, list[Ends]] = {}
    for ends in ranks.routes:
        coming.setdefault(ends[1], []).append(ends)
    found = {}
    for target, edges in coming.items():
        edges.sort(key=lambda ends: middles[ranks.routes[ends][-2]])
        cell = cells[target]
        straight = [i for i, ends in enumerate(edges) if abs(middles[ranks.routes[ends][-2]] - middles[target]) < 1]
        centre = straight[0] if len(straight) == 1 else (len(edges) - 1) / 2
        room = 0.7 * min(cell.entry, cell.width - cell.entry) / max(centre, len(edges) - 1 - centre, 1)
        step = 0 if target.startswith(JOIN) else min(18.0, room)
        for i, ends in enumerate(edges):
            found[ends] = middles[target] + (i - centre) * step
    return found


def _route(
    route: Sequence[str],
    middles: Mapping[str, float],
    bands: Mapping[str, tuple[float, float]],
    corners: Mapping[str, Point],
    cells: Mapping[str, Cell],
    arrival: float,
) -> tuple[Point, ...]:
    source, *bends, target = route
    x = corners[source][0] + cells[source].exit
    points = [(x, corners[source][1] + cells[source].height), (x, bands[source][1])]
    for bend in bends:
        points += [(middles[bend], y) for y in bands[bend]]
    return (*points, (arrival, bands[target][0]), (arrival, corners[target][1]))
