"""The x of everything in a layered drawing: what follows each other stands in one straight lane wherever it can.

As in Brandes & Köpf ("Fast and simple horizontal coordinate assignment", 2001), each end is put below at most one of its
neighbours, long edges first, so that no two of these steps cross. What hangs together in this way is a lane. Lanes go where the
middle is between their leftmost and their rightmost places, and from there towards their neighbours as far as there is room.
"""

from bisect import bisect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from itertools import pairwise
import math

from zerfoo_jax.graph.views.drawing.ranks import Ends, Ranks

PASSES = 8
Apart = Callable[[str, str], float]
Shift = Mapping[str, float]


@dataclass
class Lanes:
    """The lane of every end and how far it stands to the right there; how far lanes have to stand apart."""

    lane: dict[str, str] = field(default_factory=dict)
    offset: dict[str, float] = field(default_factory=dict)
    left: dict[str, dict[str, float]] = field(default_factory=dict)
    """For every lane those to its left, each with the least distance."""

    def keep_apart(self, a: str, b: str, apart: float) -> None:
        """Writes down that `b` stands at least so far to the right of `a`."""
        lane, right = self.lane[a], self.lane[b]
        self.left[right][lane] = max(self.left[right].get(lane, -math.inf), apart + self.offset[a] - self.offset[b])


def middles(ranks: Ranks, shift: Shift, apart: Apart) -> dict[str, float]:
    """The x at which edges come into every end and bend.

    They go out `shift` further to the right. Neighbours in a row stand at least `apart` from each other.
    """
    steps = {step for route in ranks.routes.values() for step in pairwise(route)}
    lanes = _lanes(ranks, steps, shift)
    for row in ranks.rows:
        for a, b in pairwise(row):
            lanes.keep_apart(a, b, apart(a, b))
    places = _pulled(lanes, steps, shift, _centred(lanes))
    return {end: places[lane] + lanes.offset[end] for end, lane in lanes.lane.items()}


def _lanes(ranks: Ranks, steps: Iterable[Ends], shift: Shift) -> Lanes:
    place = {end: i for row in ranks.rows for i, end in enumerate(row)}
    level = {end: i for i, row in enumerate(ranks.rows) for end in row}
    bends = ranks.bends()
    behind: dict[str, list[int]] = {end: [] for end in place}
    before: dict[str, list[int]] = {end: [] for end in place}
    for a, b in steps:
        behind[a].append(place[b])
        before[b].append(place[a])

    def priority(step: Ends) -> tuple[int, float, int, int]:
        a, b = step
        kind = (1, 2, 0)[(a in bends) + (b in bends)]
        return kind, _off_median(behind[a], place[b]) + _off_median(before[b], place[a]), place[a], place[b]

    below: dict[str, str] = {}
    taken: list[list[tuple[int, int]]] = [[] for _ in ranks.rows]
    for a, b in sorted(steps, key=priority):
        pairs, pair = taken[level[a]], (place[a], place[b])
        at = bisect(pairs, pair)
        if all(p[0] < pair[0] and p[1] < pair[1] for p in pairs[:at][-1:]) and all(
            p[0] > pair[0] and p[1] > pair[1] for p in pairs[at : at + 1]
        ):
            pairs.insert(at, pair)
            below[a] = b
    found = Lanes()
    for row in ranks.rows:
        for end in row:
            found.lane.setdefault(end, end)
            found.offset.setdefault(end, 0.0)
            found.left.setdefault(found.lane[end], {})
            if end in below:
                found.lane[below[end]] = found.lane[end]
                found.offset[below[end]] = found.offset[end] + shift[end]
    return found


def _off_median(places: list[int], place: int) -> float:
    ordered = sorted(places)
    return abs((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2 - place)


def _centred(lanes: Lanes) -> dict[str, float]:
    """The middle of the leftmost and the rightmost places that lanes can have in the narrowest picture."""
    order = list(TopologicalSorter({lane: list(left) for lane, left in lanes.left.items()}).static_order())
    leftmost: dict[str, float] = {}
    for lane in order:
        leftmost[lane] = max((leftmost[other] + apart for other, apart in lanes.left[lane].items()), default=0.0)
    rightmost = dict.fromkeys(order, max(leftmost.values(), default=0.0))
    for lane in reversed(order):
        for other, apart in lanes.left[lane].items():
            rightmost[other] = min(rightmost[other], rightmost[lane] - apart)
    return {lane: (leftmost[lane] + rightmost[lane]) / 2 for lane in order}


def _pulled(lanes: Lanes, steps: Iterable[Ends], shift: Shift, places: dict[str, float]) -> dict[str, float]:
    """The lanes as near to what they are connected with as those beside them allow."""
    right: dict[str, dict[str, float]] = {lane: {} for lane in places}
    for lane, left in lanes.left.items():
        for other, apart in left.items():
            right[other][lane] = apart
    near: dict[str, list[tuple[str, float]]] = {lane: [] for lane in places}
    for a, b in sorted(steps):
        lane, other = lanes.lane[a], lanes.lane[b]
        way = lanes.offset[a] + shift[a] - lanes.offset[b]
        if lane != other:
            near[other].append((lane, way))
            near[lane].append((other, -way))
    for i in range(PASSES):
        for lane in list(places)[:: -1 if i % 2 else 1]:
            if near[lane]:
                wanted = sum(places[other] + way for other, way in near[lane]) / len(near[lane])
                least = max((places[other] + apart for other, apart in lanes.left[lane].items()), default=-math.inf)
                most = min((places[other] - apart for other, apart in right[lane].items()), default=math.inf)
                places[lane] = max(least, min(most, wanted))
    return places
