"""Timing two things side by side: in turns, in one process, reported as a ratio."""

from collections.abc import Callable, Sequence
from statistics import median

Timed = Callable[[], float]
"""Runs one block and returns its seconds."""


def interleaved(timed: Sequence[Timed], repeats: int) -> list[list[float]]:
    """Each block's times, run in turns so that a busy moment of the machine meets them all; the turns' order alternates."""
    times: list[list[float]] = [[] for _ in timed]
    for turn in range(repeats):
        for i in range(len(timed)) if turn % 2 else reversed(range(len(timed))):
            times[i].append(timed[i]())
    return times


def ratio(ours: Timed, theirs: Timed, repeats: int) -> tuple[float, float, float]:
    """The median of the ratios of neighbouring blocks, and the median seconds of each side; one turn of each is not counted."""
    interleaved([ours, theirs], 1)
    mine, other = interleaved([ours, theirs], repeats)
    return median(a / b for a, b in zip(mine, other, strict=True)), median(mine), median(other)


def row(what: str, value: str, goal: str = "") -> None:
    """One line of a table."""
    print(f"{what:<58}{value:>30}  {goal}", flush=True)


def ratio_row(what: str, ours: Timed, theirs: Timed, repeats: int, goal: float) -> float:
    """Times both sides and prints the line; returns the ratio."""
    value, mine, other = ratio(ours, theirs, repeats)
    row(what, f"{value:.3f} ({mine * 1e3:.2f}/{other * 1e3:.2f} ms)", f"<= {goal:.2f}{'' if value <= goal else '  MISSED'}")
    return value
