"""Elements between the elements of an image, at places that are computed: what sampling by a grid, by regions and by offsets
share.

An image is (batch, channels, *spatial). Along each spatial axis a place is made of taps: indices and weights, (n, places) each.
"""

from collections.abc import Iterator, Sequence
import itertools
import math

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened

Taps = list[tuple[Array, Array]]
MAX_AXES = 3
"""Spatial axes, since the number of elements that meet grows exponentially with them."""


def linear_taps(at: Array) -> Taps:
    """The two elements around each place."""
    low = jnp.floor(at)
    return [(low.astype(jnp.int32), 1 - (at - low)), (low.astype(jnp.int32) + 1, at - low)]


def nearest_taps(at: Array) -> Taps:
    """The element nearest to each place, the even one of two."""
    return [(jnp.round(at).astype(jnp.int32), jnp.ones_like(at))]


def cubic_taps(at: Array, a: float = -0.75) -> Taps:
    """The four elements around each place, by the cubic convolution kernel (Keys, 1981)."""
    low = jnp.floor(at)
    found = []
    for i in range(-1, 3):
        distance = jnp.abs(at - low - i)
        near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
        far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
        found.append((low.astype(jnp.int32) + i, near if i in (0, 1) else far))
    return found


def only_inside(found: Taps, size: int) -> Taps:
    """The taps without what lies outside the axis: its weight is 0."""
    return [(index, jnp.where((index >= 0) & (index < size), weight, jnp.zeros((), weight.dtype))) for index, weight in found]


def meeting(x: Array, images: Array, taps: Sequence[Taps]) -> Iterator[Array]:
    """The elements that meet at each place, each times its weight: (n, places, channels) for every choice of taps.

    `images` (n,) says in which image each row of places lies. Raises `FormatError` for too many axes.
    """
    if len(taps) > MAX_AXES:
        raise FormatError(f"images of {len(taps)} axes, over the limit of {MAX_AXES}")
    sizes = x.shape[2:]
    rows = jnp.moveaxis(widened(jnp.asarray(x)), 1, -1).reshape(x.shape[0] * math.prod(sizes), x.shape[1])
    for choice in itertools.product(*taps):
        flat, weight = jnp.asarray(images).astype(jnp.int32)[:, None], None
        for (index, part), size in zip(choice, sizes, strict=True):
            flat = flat * np.int32(size) + jnp.clip(index, 0, size - 1)
            weight = part if weight is None else weight * part
        assert weight is not None
        yield rows.at[flat].get(mode="clip") * weight[..., None].astype(rows.dtype)


def interpolate(x: Array, images: Array, taps: Sequence[Taps]) -> Array:
    """The sum of what meets at each place, (n, channels, places), in float32 or wider."""
    parts = meeting(x, images, taps)
    total = next(parts)
    for part in parts:
        total = total + part
    return jnp.moveaxis(total, -1, 1)
