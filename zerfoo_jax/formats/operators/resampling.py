"""Which elements of an axis the elements of a resized axis are made of, and by what weights, by ONNX's attributes of Resize."""

from typing import NamedTuple

import numpy as np

from zerfoo_jax.core.errors import FormatError, nearest


class Method(NamedTuple):
    """The attributes of Resize that hold for every axis."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


class Axis(NamedTuple):
    """How one axis is resized.

    `length` is the new size before it is rounded; `begin` and `end` are what is cropped, for "tf_crop_and_resize".
    """

    size: int
    new_size: int
    scale: float
    length: float
    begin: float = 0.0
    end: float = 1.0


def places(axis: Axis, coordinates: str) -> np.ndarray:
    """Where each new element lies along the old axis.

    >>> places(Axis(2, 4, 2.0, 4.0), "half_pixel").tolist()
    [-0.25, 0.25, 0.75, 1.25]
    """
    # In float32, as exporters and runtimes compute: 8.5 / 1.7 is 5 and not a little less.
    new, scale = np.arange(axis.new_size, dtype=np.float32), np.float32(axis.scale)
    half_pixel = (new + 0.5) / scale - 0.5
    if coordinates == "half_pixel" or (coordinates == "pytorch_half_pixel" and axis.length != 1):
        return half_pixel
    if coordinates == "pytorch_half_pixel":
        return np.full_like(new, -0.5)
    if coordinates == "half_pixel_symmetric":
        return axis.size / 2 * (1 - axis.new_size / axis.length) + (new + 0.5) / scale - 0.5
    if coordinates == "tf_half_pixel_for_nn":
        return (new + 0.5) / scale
    if coordinates == "asymmetric":
        return new / scale
    if coordinates == "align_corners":
        return new * (axis.size - 1) / max(axis.new_size - 1, 1)
    if coordinates == "tf_crop_and_resize":
        part = (axis.end - axis.begin) * (axis.size - 1)
        return axis.begin * (axis.size - 1) + (
            new * part / (axis.length - 1) if axis.length != 1 else np.full_like(new, part / 2)
        )
    raise FormatError(f"there is no coordinate_transformation_mode {coordinates!r}")


def taps(axis: Axis, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights, each (new size, taps): every new element is the sum of so many old ones with these weights."""
    at = places(axis, method.coordinates)
    if method.mode == "nearest":
        indices, weights = _nearest(at, method.nearest_mode)[:, None], np.ones((axis.new_size, 1))
    elif method.mode in ("linear", "cubic"):
        # When an axis shrinks, anti-aliasing stretches the kernel by so much.
        stretch = 1 / min(axis.scale, 1.0) if method.antialias else 1.0
        reach = stretch * (1 if method.mode == "linear" else 2)
        indices = np.floor(at)[:, None] + np.arange(1 - np.ceil(reach), np.ceil(reach) + 1)
        distance = np.abs(indices - at[:, None]) / stretch
        weights = np.maximum(1 - distance, 0) if method.mode == "linear" else _cubic(distance, method.cubic_coeff_a)
        if method.exclude_outside:
            weights = np.where((indices >= 0) & (indices < axis.size), weights, 0)
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total == 0, 1, total)
    else:
        raise FormatError(f"there is no mode {method.mode!r}", fix=nearest(method.mode, ("nearest", "linear", "cubic")))
    return np.clip(indices, 0, axis.size - 1).astype(np.int32), weights


def _nearest(at: np.ndarray, nearest_mode: str) -> np.ndarray:
    """The element that lies nearest, as `nearest_mode` understands it."""
    if nearest_mode == "round_prefer_floor":
        return np.ceil(at - 0.5)
    if nearest_mode == "round_prefer_ceil":
        return np.floor(at + 0.5)
    if nearest_mode == "floor":
        return np.floor(at)
    if nearest_mode == "ceil":
        return np.ceil(at)
    raise FormatError(f"there is no nearest_mode {nearest_mode!r}")


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel (Keys, 1981)."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))
