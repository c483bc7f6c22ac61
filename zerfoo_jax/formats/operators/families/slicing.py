"""Parts of arrays, and arrays made of parts."""

from collections.abc import Sequence
from typing import Any

from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.formats.operators.arrays import axes_of, axis_of, is_text, namespace
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.formats.operators.sizes import check_output_size

MODES = ("constant", "edge", "reflect", "wrap")
"""What Pad may fill margins with."""


def Concat(*inputs: Any, axis: int) -> Any:
    """The inputs one behind the other."""
    xp = namespace(*inputs)
    return xp.concatenate([xp.asarray(x) for x in inputs], axis_of(axis, inputs[0].ndim))


def Split(input: Any, *, split: Sequence[int] | None = None, axis: int = 0, outputs: int) -> Any:
    """Parts of the given sizes, else of one size."""
    return _split(input, split, axis, outputs)


def Split_13(input: Any, split: Known | None = None, *, axis: int = 0, num_outputs: int | None = None, outputs: int) -> Any:
    """Parts of the given sizes, else of one size; the last part of `num_outputs` may be smaller."""
    return _split(input, split, axis, num_outputs or outputs)


def _split(x: Any, sizes: Any, axis: int, parts: int) -> Any:
    axis = axis_of(axis, x.ndim)
    length = x.shape[axis]
    if sizes is None:
        step = -(-length // parts)
        ends = [min(i * step, length) for i in range(1, parts + 1)]
    else:
        ends = np.cumsum(np.asarray(sizes, np.int64)).tolist()
    starts = [0, *ends[:-1]]
    if (ends and ends[-1] != length) or any(end < start for start, end in zip(starts, ends, strict=True)):
        raise ShapeError(f"Split of an axis of size {length} into parts that end at {ends}")
    front = (slice(None),) * axis
    return tuple(x[(*front, slice(start, end))] for start, end in zip(starts, ends, strict=True))


def Slice(data: Any, *, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int] | None = None) -> Any:
    """From start to end along each axis."""
    return _slice(data, starts, ends, axes, None)


def Slice_10(data: Any, starts: Known, ends: Known, axes: Known | None = None, steps: Known | None = None) -> Any:
    """From start to end along each axis, in steps; backwards in negative ones."""
    return _slice(data, starts, ends, axes, steps)


def _slice(data: Any, starts: Any, ends: Any, axes: Any, steps: Any) -> Any:
    starts, ends = np.asarray(starts).reshape(-1), np.asarray(ends).reshape(-1)
    places = axes_of(range(len(starts)) if axes is None else axes, data.ndim)
    steps = np.ones(len(starts), np.int64) if steps is None else steps.reshape(-1)
    if not len(starts) == len(ends) == len(places) == len(steps) or not np.all(steps):
        raise ShapeError(f"Slice from {starts} to {ends} of axes {places} in steps of {steps}")
    slices = [slice(None)] * data.ndim
    for axis, start, end, step in zip(places, starts, ends, steps, strict=True):
        slices[axis] = slice(int(start), int(end), int(step))
    return data[tuple(slices)]


def Pad_2(data: Any, *, pads: Sequence[int], mode: str = "constant", value: float = 0.0) -> Any:
    """With margins before and after each axis; negative ones crop."""
    return _pad(data, pads, np.asarray(value, data.dtype), None, mode)


def Pad_11(
    data: Any, pads: Known, constant_value: Any | None = None, axes: Known | None = None, *, mode: str = "constant"
) -> Any:
    """With margins before and after each axis (of those named); negative ones crop.

    The margins hold one value (`constant`), the nearest element (`edge`), a mirror image without the edge (`reflect`) or the
    elements from the other end (`wrap`).
    """
    return _pad(data, pads, constant_value, axes, mode)


def _pad(data: Any, pads: Any, value: Any | None, axes: Any, mode: str) -> Any:
    if mode not in MODES:
        raise FormatError(f"Pad has the modes {', '.join(MODES)}, not {mode!r}")
    places = axes_of(range(data.ndim) if axes is None else axes, data.ndim)
    amounts = np.asarray(pads, np.int64).reshape(-1).tolist()
    if len(amounts) != 2 * len(places):
        raise ShapeError(f"Pad of {len(places)} axes by {len(amounts)} margins, which come in pairs")
    margins = [(0, 0)] * data.ndim
    for axis, before, after in zip(places, amounts[: len(places)], amounts[len(places) :], strict=True):
        margins[axis] = (before, after)
    check_output_size(max(size, 0) for size in (sum(pair) + size for pair, size in zip(margins, data.shape, strict=True)))
    kept = tuple(slice(max(-b, 0), max(size + min(a, 0), 0)) for (b, a), size in zip(margins, data.shape, strict=True))
    margins = [(max(before, 0), max(after, 0)) for before, after in margins]
    if mode != "constant":
        return namespace(data).pad(data[kept], margins, mode=mode)
    if is_text(data):
        return np.pad(data[kept], margins, constant_values="" if value is None else value.reshape(())[()])
    fill = jnp.zeros((), data.dtype) if value is None else jnp.asarray(value).reshape(()).astype(data.dtype)
    return lax.pad(jnp.asarray(data)[kept], fill, [(before, after, 0) for before, after in margins])
