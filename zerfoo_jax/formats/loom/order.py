"""Where our numbers stand in LOOM's flat data: the order that a writer keeps while it goes through a network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math

import numpy as np


@dataclass(frozen=True, eq=False)
class Order:
    """The shape of what flows, without the batch, and LOOM's order of it: LOOM's i-th number is our `places[i]`-th.

    `places` is None where both agree. While nothing has asked for an order yet, LOOM's is `free`.
    """

    shape: tuple[int, ...]
    places: np.ndarray | None = None
    free: bool = True

    def same(self, other: "Order") -> bool:
        """Whether two flows have their numbers in one order."""
        if self.places is None or other.places is None:
            return self.places is other.places
        return np.array_equal(self.places, other.places)

    def to(self, shape: Sequence[int], places: np.ndarray | None = None) -> "Order":
        """What flows after a layer that makes something new of it."""
        return Order(tuple(shape), _or_none(places), False)

    def reshaped(self, shape: Sequence[int]) -> "Order":
        """The same numbers in another shape."""
        return replace(self, shape=tuple(shape))

    def permuted(self, axes: Sequence[int]) -> "Order":
        """The same numbers after a transposition: our new axis i is the old `axes[i]`."""
        moved = np.arange(math.prod(self.shape)).reshape(self.shape).transpose(axes)
        back = np.argsort(moved.ravel())
        places = back if self.places is None else back[self.places]
        return Order(moved.shape, _or_none(places), False)

    def as_channels_first(self) -> "Order | None":
        """This, if LOOM has our (*spatial, channels) as (channels, *spatial), or is free to; else None."""
        wanted = channels_first(self.shape)
        if self.free and self.places is None:
            return Order(self.shape, _or_none(wanted), False)
        places = np.arange(wanted.size) if self.places is None else self.places
        return replace(self, free=False) if np.array_equal(places, wanted) else None


def channels_first(shape: Sequence[int]) -> np.ndarray:
    """LOOM's order of our (*spatial, channels)."""
    return np.moveaxis(np.arange(math.prod(shape)).reshape(shape), -1, 0).ravel()


def _or_none(places: np.ndarray | None) -> np.ndarray | None:
    return None if places is None or np.array_equal(places, np.arange(places.size)) else places
