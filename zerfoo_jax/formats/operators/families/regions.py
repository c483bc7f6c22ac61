"""Regions of images: pooled to a fixed size, and the best of boxes that overlap."""

from collections.abc import Sequence
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.interpolation import Taps, linear_taps, meeting
from zerfoo_jax.formats.operators.known import Known, expect_known
from zerfoo_jax.formats.operators.sizes import check_output_size
from zerfoo_jax.numeric import wide_dtype, widened


def RoiAlign(
    x: Array,
    rois: Array,
    batch_indices: Array,
    *,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Array:
    """As of version 16, with regions that are at least one pixel large and not moved by half a pixel."""
    return RoiAlign_16(
        x,
        rois,
        batch_indices,
        coordinate_transformation_mode="output_half_pixel",
        mode=mode,
        output_height=output_height,
        output_width=output_width,
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
    )


def RoiAlign_16(
    x: Array,
    rois: Array,
    batch_indices: Array,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> Array:
    """Each region (x1, y1, x2, y2) cut into bins, of which each is the mean of places in it (He et al., arXiv 1703.06870).

    `sampling_ratio` places per bin and axis, or with 0 one per pixel; then the regions have to be known before the model runs.
    With `mode` = "max" a bin is the maximum of the weighted elements around its places.
    """
    if mode not in ("avg", "max") or rois.ndim != 2 or rois.shape[1] != 4 or x.ndim != 4 or 0 in x.shape[2:]:
        raise FormatError(f"RoiAlign of mode {mode!r} cannot pool {tuple(x.shape)} by regions of shape {tuple(rois.shape)}")
    half = coordinate_transformation_mode == "half_pixel"
    bins = output_height, output_width
    check_output_size((rois.shape[0], x.shape[1], *bins))
    known = rois if sampling_ratio else expect_known(rois, "RoiAlign with sampling_ratio = 0", "rois")
    corners = jnp.asarray(rois).astype(wide_dtype(x.dtype)) * spatial_scale - (0.5 if half else 0.0)
    along, counted = [], []
    for axis in (0, 1):
        begin, length = corners[:, 1 - axis], corners[:, 3 - axis] - corners[:, 1 - axis]
        length = length if half else jnp.maximum(length, 1)
        counts, most = _samples(known, axis, sampling_ratio, bins[axis], spatial_scale, half)
        at, inside = _bin_places(begin, length, bins[axis], jnp.asarray(counts), most)
        inside &= (at >= -1) & (at <= x.shape[2 + axis])
        along.append(linear_taps(jnp.clip(at, 0, x.shape[2 + axis] - 1)))
        counted.append((inside, counts, most))
    return _of_bins(x, batch_indices, along, counted, bins, mode).astype(x.dtype)


def _samples(rois: Any, axis: int, ratio: int, bins: int, scale: float, half: bool) -> tuple[np.ndarray, int]:
    """How many places each bin of each region has along an axis, and the most."""
    if ratio:
        return np.full(rois.shape[0], ratio, np.int32), ratio
    length = (np.asarray(rois)[:, 3 - axis] - np.asarray(rois)[:, 1 - axis]).astype(np.float64) * scale
    counts = np.ceil((length if half else np.maximum(length, 1)) / bins)
    counts = np.maximum(counts, 0).astype(np.int32)
    check_output_size((rois.shape[0], int(counts.max(initial=1)), bins))
    return counts, max(int(counts.max(initial=1)), 1)


def _bin_places(begin: Array, length: Array, bins: int, counts: Array, most: int) -> tuple[Array, Array]:
    """Where the places of each region's bins are along an axis, (regions, bins, most), and which of them there are."""
    i = jnp.arange(most, dtype=length.dtype)[None, None]
    each = jnp.maximum(counts, 1).astype(length.dtype)[:, None, None]
    step = (length / bins)[:, None, None]
    at = begin[:, None, None] + jnp.arange(bins, dtype=length.dtype)[None, :, None] * step + (i + 0.5) * step / each
    return at, jnp.broadcast_to(i < counts.astype(length.dtype)[:, None, None], at.shape)


def _of_bins(
    x: Array, images: Array, along: list[Taps], counted: list[tuple[Array, np.ndarray, int]], bins: tuple[int, int], mode: str
) -> Array:
    """The mean or maximum over the places of each bin, (regions, channels, height, width)."""
    regions = images.shape[0]
    (rows, row_counts, most_rows), (columns, column_counts, most_columns) = counted
    full = (regions, bins[0], most_rows, bins[1], most_columns)
    check_output_size((math.prod(full), x.shape[1]))

    def spread(part: Array, axis: int) -> Array:
        part = part[:, :, :, None, None] if axis == 0 else part[:, None, None]
        return jnp.broadcast_to(part, full).reshape(regions, math.prod(full[1:]))

    taps = [[(spread(i, axis), spread(w, axis)) for i, w in found] for axis, found in enumerate(along)]
    inside = (spread(rows, 0) & spread(columns, 1))[..., None]
    parts = list(meeting(x, images, taps))
    if mode == "max":
        best = parts[0]
        for part in parts[1:]:
            best = jnp.maximum(best, part)
        best = jnp.where(inside, best, jnp.asarray(0 if most_rows * most_columns == 1 else -jnp.inf, best.dtype))
        y = jnp.max(best.reshape(*full, x.shape[1]), (2, 4))
        y = jnp.where(jnp.isneginf(y), jnp.zeros((), y.dtype), y)
    else:
        total = sum(parts[1:], start=parts[0])
        total = jnp.where(inside, total, jnp.zeros((), total.dtype)).reshape(*full, x.shape[1])
        count = np.maximum(row_counts * column_counts, 1).reshape(regions, 1, 1, 1)
        y = jnp.sum(total, (2, 4)) / jnp.asarray(count, total.dtype)
    return jnp.moveaxis(y, -1, 1)


def MaxRoiPool(x: Array, rois: Array, *, pooled_shape: Sequence[int], spatial_scale: float = 1.0) -> Array:
    """The maximum of each bin of each region (image, x1, y1, x2, y2), in whole pixels (Girshick, arXiv 1504.08083).

    A bin without pixels is 0.
    """
    if rois.ndim != 2 or rois.shape[1] != 5 or x.ndim != 4 or len(pooled_shape) != 2:
        raise ShapeError(f"MaxRoiPool to {tuple(pooled_shape)} cannot pool {tuple(x.shape)} by regions {tuple(rois.shape)}")
    check_output_size((rois.shape[0], x.shape[1], *pooled_shape))
    wide = widened(jnp.asarray(rois))
    whole = jnp.floor(wide[:, 1:] * spatial_scale + 0.5)  # half away from zero, for what is not negative
    y = jnp.take(jnp.asarray(x), wide[:, 0].astype(jnp.int32), axis=0, mode="clip")
    lowest = jnp.asarray(-jnp.inf, x.dtype)
    for axis, bins in enumerate(pooled_shape):
        begin, end = whole[:, 1 - axis], whole[:, 3 - axis]
        step = jnp.maximum(end - begin + 1, 1) / bins
        i = jnp.arange(bins, dtype=wide.dtype)[None]
        low = jnp.floor(i * step[:, None]) + begin[:, None]
        high = jnp.ceil((i + 1) * step[:, None]) + begin[:, None]
        places = jnp.arange(x.shape[2 + axis], dtype=wide.dtype)[None, None]
        within = (places >= low[..., None]) & (places < high[..., None])  # (regions, bins, pixels)
        parts = []
        for n in range(bins):
            mask = within[:, n].reshape(within.shape[0], 1, *((-1, 1) if axis == 0 else (1, -1)))
            parts.append(jnp.max(jnp.where(mask, y, lowest), axis=2 + axis, keepdims=True, initial=-jnp.inf))
        y = jnp.concatenate(parts, axis=2 + axis)
    return jnp.where(jnp.isneginf(y), jnp.zeros((), y.dtype), y)


def NonMaxSuppression(
    boxes: Known,
    scores: Known,
    max_output_boxes_per_class: Known | None = None,
    iou_threshold: Known | None = None,
    score_threshold: Known | None = None,
    *,
    center_point_box: int = 0,
) -> np.ndarray:
    """The boxes (image, class, box) that remain when, best first, each removes those that overlap it by more than a threshold.

    `boxes` are (images, boxes, 4), corners (y1, x1, y2, x2) or centre and size (x, y, width, height); `scores` are (images,
    classes, boxes). How many remain depends on the values, so that they have to be known.
    """
    most = 0 if max_output_boxes_per_class is None else int(max_output_boxes_per_class.reshape(()))
    overlap = 0.0 if iou_threshold is None else float(iou_threshold.reshape(()))
    corners = _corners(boxes, bool(center_point_box))
    found = []
    for image, of_image in enumerate(scores):
        for label, row in enumerate(of_image):
            order = np.argsort(-row, kind="stable")
            if score_threshold is not None:
                order = order[row[order] > score_threshold.reshape(())]
            found += [(image, label, box) for box in _remaining(corners[image], order, most, overlap)]
    return np.asarray(found, np.int64).reshape(len(found), 3)


def _corners(boxes: np.ndarray, centred: bool) -> np.ndarray:
    """Boxes as two low and two high corners."""
    if centred:
        return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], axis=-1)
    return np.concatenate([np.minimum(boxes[..., :2], boxes[..., 2:]), np.maximum(boxes[..., :2], boxes[..., 2:])], axis=-1)


def _remaining(corners: np.ndarray, order: np.ndarray, most: int, overlap: float) -> list[int]:
    """The boxes that remain of one class."""
    kept: list[int] = []
    while order.size and len(kept) < most:
        best, order = order[0], order[1:]
        kept.append(int(best))
        inner = np.minimum(corners[order, 2:], corners[best, 2:]) - np.maximum(corners[order, :2], corners[best, :2])
        shared = np.where((inner > 0).all(axis=-1), inner.prod(axis=-1), 0)
        area = [(c[..., 2:] - c[..., :2]).prod(axis=-1) for c in (corners[order], corners[best])]
        union = area[0] + area[1] - shared
        order = order[~((shared > 0) & (union > 0) & (shared > overlap * union))]
    return kept
