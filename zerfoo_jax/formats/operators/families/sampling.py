"""Images sampled at computed places: by a grid, by offsets of a convolution's taps, by regions."""

from collections.abc import Sequence
import math

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError, nearest
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.interpolation import Taps, cubic_taps, interpolate, linear_taps, nearest_taps, only_inside
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.formats.operators.sizes import check_output_size
from zerfoo_jax.formats.operators.windows import windows
from zerfoo_jax.numeric import wide_dtype, widened

Ints = Sequence[int]

_MODES = {
    "bicubic": cubic_taps,
    "bilinear": linear_taps,
    "cubic": cubic_taps,
    "linear": linear_taps,
    "nearest": nearest_taps,
}
_PADDINGS = ("zeros", "border", "reflection")


def GridSample(x: Array, grid: Array, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros") -> Array:
    """The image (batch, channels, *spatial) at the places of a grid (batch, *spatial', axes), the last axis first.

    Places are -1 ... 1 across the image: from the first element's centre to the last's with `align_corners`, else from edge to
    edge (Jaderberg et al., arXiv 1506.02025).
    """
    axes = x.ndim - 2
    if grid.ndim != x.ndim or grid.shape[-1] != axes or grid.shape[0] != x.shape[0] or 0 in x.shape[2:]:
        raise ShapeError(f"GridSample of {tuple(x.shape)} cannot use a grid of shape {tuple(grid.shape)}")
    if mode not in _MODES or padding_mode not in _PADDINGS:
        fix = nearest(mode, _MODES) if mode not in _MODES else nearest(padding_mode, _PADDINGS)
        raise FormatError(f"GridSample has no mode {mode!r} with padding {padding_mode!r}", fix=fix)
    wide = widened(jnp.asarray(grid)).reshape(grid.shape[0], math.prod(grid.shape[1:-1]), axes)
    along = []
    for i, size in enumerate(x.shape[2:]):
        part = wide[..., axes - 1 - i]
        at = (part + 1) * ((size - 1) / 2) if align_corners else ((part + 1) * size - 1) / 2
        along.append(_padded_taps(at, size, mode, padding_mode, bool(align_corners)))
    y = interpolate(x, jnp.arange(x.shape[0], dtype=jnp.int32), along)
    return y.reshape(*x.shape[:2], *grid.shape[1:-1]).astype(x.dtype)


def _padded_taps(at: Array, size: int, mode: str, padding: str, align_corners: bool) -> Taps:
    """The taps at places that may lie outside."""
    find = _MODES[mode]
    if padding == "zeros":
        return only_inside(find(at), size)
    if find is cubic_taps:  # whose taps are put inside, and not the place between them
        return [(_inside(i.astype(at.dtype), size, padding, align_corners).astype(jnp.int32), w) for i, w in find(at)]
    return find(_inside(at, size, padding, align_corners))


def _inside(at: Array, size: int, padding: str, align_corners: bool) -> Array:
    """Places moved into the axis: to its border, or mirrored at the border."""
    if padding == "reflection":
        low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
        span = high - low
        within = jnp.mod(at - low, 2 * span) if span else jnp.zeros_like(at)
        at = low + jnp.minimum(within, 2 * span - within)
    return jnp.clip(at, 0, size - 1)


def AffineGrid(theta: Array, size: Known, *, align_corners: int = 0) -> Array:
    """theta (x, y, 1)ᵀ for every place of an image: (batch, *spatial, axes) of matrices (batch, axes, axes + 1).

    Places are as in `GridSample`.
    """
    spatial = check_output_size(size.tolist())[2:]
    axes = len(spatial)
    if theta.shape[1:] != (axes, axes + 1):
        raise ShapeError(f"AffineGrid of an image of shape {tuple(size.tolist())} got matrices of shape {tuple(theta.shape)}")
    steps = []
    for n in spatial:
        whole = np.linspace(-1, 1, n) if n > 1 else np.zeros(n)
        steps.append(whole if align_corners else (np.arange(n) * 2 + 1) / max(n, 1) - 1)
    places = np.stack([*reversed(np.meshgrid(*steps, indexing="ij")), np.ones(spatial)], axis=-1)
    wide = widened(jnp.asarray(theta))
    y = jnp.einsum("...j,bij->b...i", jnp.asarray(places, wide.dtype), wide)
    return y.astype(theta.dtype)


def DeformConv(
    x: Array,
    w: Array,
    offset: Array,
    b: Array | None = None,
    mask: Array | None = None,
    *,
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    offset_group: int = 1,
    pads: Ints = (),
    strides: Ints = (),
) -> Array:
    """A convolution whose taps are moved by offsets and weighted by a mask (Zhu et al., arXiv 1811.11168).

    `offset` is (batch, offset_group · taps · axes, *spatial'), `mask` (batch, offset_group · taps, *spatial').
    """
    axes, count = x.ndim - 2, math.prod(w.shape[2:])
    placed = windows(x.shape[2:], w.shape[2:], strides, dilations, pads)
    spatial = placed.counts(x.shape[2:])
    batch, channels = x.shape[:2]
    moved = (batch, offset_group * count * axes, *spatial)
    if channels != w.shape[1] * group or channels % offset_group or w.shape[0] % group or offset.shape != moved:
        raise ShapeError(f"DeformConv of {tuple(x.shape)} with {tuple(w.shape)} got offsets of shape {tuple(offset.shape)}")
    dtype = wide_dtype(x.dtype)
    offsets = jnp.asarray(offset).astype(dtype).reshape(batch * offset_group, count, axes, *spatial)
    tap_places = np.indices(w.shape[2:]).reshape(axes, count)
    along = []
    for i, size in enumerate(x.shape[2:]):
        starts = np.arange(spatial[i]) * placed.strides[i] - placed.edges[i][0]
        starts = starts.reshape([-1 if n == i else 1 for n in range(axes)])
        regular = (tap_places[i] * placed.dilations[i]).reshape(count, *(1,) * axes) + starts
        at = offsets[:, :, i] + jnp.asarray(regular, dtype)[None]
        along.append(only_inside(linear_taps(at.reshape(at.shape[0], math.prod(at.shape[1:]))), size))
    images = x.reshape(batch * offset_group, channels // offset_group, *x.shape[2:])
    seen = interpolate(images, jnp.arange(batch * offset_group, dtype=jnp.int32), along)
    seen = seen.reshape(batch, offset_group, channels // offset_group, count, *spatial)
    if mask is not None:
        seen = seen * jnp.asarray(mask).astype(dtype).reshape(batch, offset_group, 1, count, *spatial)
    kernel = jnp.asarray(w).astype(dtype).reshape(group, w.shape[0] // group, w.shape[1], count)
    y = jnp.einsum("bgctp,gmct->bgmp", seen.reshape(batch, group, w.shape[1], count, math.prod(spatial)), kernel)
    y = y.reshape(batch, w.shape[0], *spatial)
    if b is not None:
        y = y + b.astype(dtype).reshape(1, b.size, *(1,) * axes)
    return y.astype(x.dtype)
