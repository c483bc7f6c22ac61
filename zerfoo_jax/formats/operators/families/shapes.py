"""Shapes: asking for them, and giving the same numbers another one."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.formats.operators.arrays import axes_of, axis_of, namespace
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.formats.operators.sizes import check_output_size


def Shape(data: Any, *, start: int = 0, end: int | None = None) -> Any:
    """The sizes of the axes from `start` to `end`, always known."""
    return np.asarray(np.shape(data)[start:end], np.int64)


def Size(data: Any) -> Any:
    """The number of elements, always known."""
    return np.asarray(math.prod(np.shape(data)), np.int64)


def Identity(input: Any) -> Any:
    """The input."""
    return input


def Reshape(data: Any, shape: Known, *, allowzero: int = 0) -> Any:
    """The numbers in another shape: -1 is what remains, 0 (unless `allowzero`) the size at the same place in the input."""
    sizes = [int(size) for size in shape.reshape(-1)]
    if not allowzero:
        if any(size == 0 and i >= data.ndim for i, size in enumerate(sizes)):
            raise ShapeError(f"Reshape of {data.shape} to {sizes} copies the size of an axis that is not there")
        sizes = [data.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    if sizes.count(-1) == 1:
        rest = math.prod(size for size in sizes if size != -1)
        if rest:
            sizes[sizes.index(-1)] = data.size // rest
    if any(isinstance(size, int) and size < 0 for size in sizes) or math.prod(sizes) != data.size:  # others are symbols
        raise ShapeError(f"Reshape of {data.shape} to {shape.tolist()}: the numbers of elements differ")
    return data.reshape(tuple(sizes))


def Flatten(input: Any, *, axis: int = 1) -> Any:
    """A matrix: the axes in front of `axis` as rows, the others as columns."""
    if not -input.ndim <= axis <= input.ndim:
        raise ShapeError(f"Flatten at axis {axis} of an array with {input.ndim} axes")
    axis = axis + input.ndim if axis < 0 else axis
    return input.reshape((math.prod(input.shape[:axis]), math.prod(input.shape[axis:])))


def Squeeze(data: Any, *, axes: tuple[int, ...] | None = None) -> Any:
    """Without axes of size 1: all of them, or those named."""
    return _squeeze(data, axes)


def Squeeze_13(data: Any, axes: Known | None = None) -> Any:
    """Without axes of size 1: all of them, or those named."""
    return _squeeze(data, axes)


def _squeeze(data: Any, axes: Any) -> Any:
    dropped = axes_of(axes, data.ndim) if axes is not None else tuple(i for i, size in enumerate(data.shape) if size == 1)
    if any(data.shape[axis] != 1 for axis in dropped):
        raise ShapeError(f"Squeeze drops axes of size 1, not axes {dropped} of shape {data.shape}")
    return data.reshape(tuple(size for axis, size in enumerate(data.shape) if axis not in dropped))


def Unsqueeze(data: Any, *, axes: tuple[int, ...]) -> Any:
    """With axes of size 1 where named, counted in the output."""
    return _unsqueeze(data, axes)


def Unsqueeze_13(data: Any, axes: Known) -> Any:
    """With axes of size 1 where named, counted in the output."""
    return _unsqueeze(data, axes)


def _unsqueeze(data: Any, axes: Any) -> Any:
    rank = data.ndim + np.size(axes)
    added, sizes = axes_of(axes, rank), iter(data.shape)
    return data.reshape(tuple(1 if axis in added else next(sizes) for axis in range(rank)))


def Transpose(data: Any, *, perm: tuple[int, ...] | None = None) -> Any:
    """The axes in another order, reversed unless said."""
    if perm is None:
        return data.transpose()
    if sorted(perm) != list(range(data.ndim)):
        raise ShapeError(f"Transpose by {perm} of an array with {data.ndim} axes")
    return data.transpose(perm)


def Expand(input: Any, shape: Known) -> Any:
    """Repeated along axes of size 1 until the shape fits, as NumPy broadcasts the input and an array of that shape."""
    wanted = tuple(int(size) for size in shape.reshape(-1))
    rank = max(len(wanted), input.ndim)
    sizes = zip((1,) * (rank - input.ndim) + input.shape, (1,) * (rank - len(wanted)) + wanted, strict=True)
    common = check_output_size(b if a == 1 else a for a, b in sizes)
    # A known value takes no more memory for being repeated.
    xp = np if isinstance(input, np.ndarray) else jnp
    try:
        return xp.broadcast_to(input, np.broadcast_shapes(common, wanted))
    except ValueError:
        raise ShapeError(f"Expand of {input.shape} to {wanted}") from None


def Tile(input: Any, repeats: Known) -> Any:
    """Repeated as a whole along each axis."""
    counts = tuple(int(count) for count in repeats.reshape(-1))
    if len(counts) != input.ndim:
        raise ShapeError(f"Tile by {counts} of an array with {input.ndim} axes")
    check_output_size(size * count for size, count in zip(input.shape, counts, strict=True))
    return namespace(input).tile(input, counts)


def CenterCropPad(input_data: Any, shape: Known, *, axes: tuple[int, ...] | None = None) -> Any:
    """The middle of the input, or the input in the middle of zeros: along each axis as long as asked for."""
    places = axes_of(range(input_data.ndim) if axes is None else axes, input_data.ndim)
    wanted = list(input_data.shape)
    for axis, size in zip(places, shape.reshape(-1), strict=False):
        wanted[axis] = int(size)
    check_output_size(wanted)
    crop, margins = [], []
    for size, target in zip(input_data.shape, wanted, strict=True):
        start, before = max(size - target, 0) // 2, max(target - size, 0) // 2
        crop.append(slice(start, start + min(size, target)))
        margins.append((before, max(target - size, 0) - before))
    return namespace(input_data).pad(input_data[tuple(crop)], margins)


def ReverseSequence(input: Any, sequence_lens: Any, *, batch_axis: int = 1, time_axis: int = 0) -> Any:
    """Each sequence of the batch backwards up to its length; what comes after stays."""
    time, batch = axis_of(time_axis, input.ndim), axis_of(batch_axis, input.ndim)
    lengths = jnp.asarray(sequence_lens)
    lengths = lengths.reshape(tuple(-1 if axis == batch else 1 for axis in range(input.ndim)))
    steps = jnp.arange(input.shape[time], dtype=lengths.dtype)
    steps = steps.reshape(tuple(-1 if axis == time else 1 for axis in range(input.ndim)))
    return jnp.take_along_axis(jnp.asarray(input), jnp.where(steps < lengths, lengths - 1 - steps, steps), time)


def DepthToSpace(input: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    """Channels (batch, b² · depth, height, width) as blocks of b × b places: (batch, depth, b · height, b · width)."""
    batch, channels, height, width = _blocked(input, blocksize)
    depth = channels // blocksize**2
    if mode == "DCR":
        blocks = input.reshape((batch, blocksize, blocksize, depth, height, width)).transpose((0, 3, 4, 1, 5, 2))
    else:
        blocks = input.reshape((batch, depth, blocksize, blocksize, height, width)).transpose((0, 1, 4, 2, 5, 3))
    return blocks.reshape((batch, depth, height * blocksize, width * blocksize))


def SpaceToDepth(input: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    """Blocks of b × b places as channels: (batch, b² · depth, height / b, width / b)."""
    batch, depth, height, width = _blocked(input, blocksize)
    height, width = height // blocksize, width // blocksize
    blocks = input.reshape((batch, depth, height, blocksize, width, blocksize))
    blocks = blocks.transpose((0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4))
    return blocks.reshape((batch, depth * blocksize**2, height, width))


def _blocked(x: Any, blocksize: int) -> tuple[int, int, int, int]:
    if x.ndim != 4 or blocksize < 1:
        raise ShapeError(f"blocks of {blocksize} need an array (batch, channels, height, width), got shape {x.shape}")
    return x.shape
