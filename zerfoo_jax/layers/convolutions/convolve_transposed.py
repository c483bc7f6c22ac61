"""Transposed cross-correlation over any number of spatial axes, without multiplying zeros put between the inputs.

In general it is an ordinary convolution of stride 1 with more features: the outputs at positions stride · q + r, for one r,
see every stride-th tap of the kernel. All these phases are computed at once as further features, then interleaved (sub-pixel
convolution; Shi et al., arXiv 1609.07009). On a CPU, where a multiplication costs more than a move, it is one matrix product
of every input with every tap, whose results are added up where they overlap.
"""

from collections.abc import Sequence
from functools import partial, reduce
import math

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.forms import are_as_defined, are_for_cpu
from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.convolutions.convolve import LAYOUTS, convolve, pad_spatially
from zerfoo_jax.layers.convolutions.windows import Edges, extents
from zerfoo_jax.numeric import wide_dtype

Numbers = Sequence[int]


def convolve_transposed(
    x: Array, kernel: Array, strides: Numbers, cut: Sequence[Edges], dilation: Numbers, groups: int = 1
) -> Array:
    """y[stride · i + dilation · t - low] += x[i] kernel[t]: (batch, *spatial, in) -> (batch, *spatial', features), for a kernel
    (*taps, in / groups, features).

    `cut` says for each axis how much of the (size - 1) · stride + dilation · (taps - 1) + 1 outputs is left out at the low and
    the high end; a negative amount adds zeros.

    >>> ones = jnp.ones((1, 2, 1))
    >>> convolve_transposed(ones, jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1), (2,), ((0, 0),), (1,)).ravel().tolist()
    [1.0, 2.0, 4.0, 2.0, 3.0]
    """
    if are_as_defined():
        return _as_defined(x, kernel, strides, cut, dilation, groups)
    if are_for_cpu() and groups == 1 and max(strides) > 1:
        overlap = any(reach > stride for reach, stride in zip(extents(kernel.shape[:-2], dilation), strides, strict=True))
        by_products = _overlapping if overlap else _by_products
        return by_products(x, kernel, tuple(strides), tuple(cut), tuple(dilation))
    spans = _spans(x, kernel, strides, cut, dilation)
    y, begins = _by_phases(x, kernel, strides, dilation, groups, spans)
    return _cut_out(y, spans, begins)


def _as_defined(x: Array, kernel: Array, strides: Numbers, cut: Sequence[Edges], dilation: Numbers, groups: int) -> Array:
    """A convolution of the input with zeros put between its elements."""
    axes = range(len(strides))
    padding = [
        (reach - 1 - low, reach - 1 - high)
        for reach, (low, high) in zip(extents(kernel.shape[:-2], dilation), cut, strict=True)
    ]
    return lax.conv_general_dilated(
        x,
        jnp.flip(kernel, axes),
        (1,) * len(axes),
        padding,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=LAYOUTS[len(axes)],
        feature_group_count=groups,
    )


def _spans(x: Array, kernel: Array, strides: Numbers, cut: Sequence[Edges], dilation: Numbers) -> list[Edges]:
    """Where the wanted outputs begin and end, along each axis, among all there are."""
    reaches = extents(kernel.shape[:-2], dilation)
    return [
        (low, (size - 1) * stride + reach - high)
        for size, stride, reach, (low, high) in zip(x.shape[1:-1], strides, reaches, cut, strict=True)
    ]


def _cut_out(y: Array, spans: Sequence[Edges], begins: Numbers) -> Array:
    """The outputs of `spans`, given those from `begins` on."""
    sizes = zip(spans, begins, y.shape[1:-1], strict=True)
    return pad_spatially(y, [(begin - low, end - begin - size) for (low, end), begin, size in sizes])


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _overlapping(x: Array, kernel: Array, strides: tuple[int, ...], cut: tuple[Edges, ...], dilation: tuple[int, ...]) -> Array:
    """`_by_products`, with gradients that need no copy of each output for each tap that it got a share from."""
    return _by_products(x, kernel, strides, cut, dilation)


def _forward(
    x: Array, kernel: Array, strides: tuple[int, ...], cut: tuple[Edges, ...], dilation: tuple[int, ...]
) -> tuple[Array, tuple[Array, Array]]:
    return _overlapping(x, kernel, strides, cut, dilation), (x, kernel)


def _backward(
    strides: tuple[int, ...], cut: tuple[Edges, ...], dilation: tuple[int, ...], kept: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    """The input's gradient is an ordinary convolution of the output's; the kernel's is the gradient of that one's kernel."""
    x, kernel = kept

    def convolved(kernel: Array) -> Array:
        return convolve(gradient, jnp.swapaxes(kernel, -1, -2), strides, cut, dilation)

    dx, pull = jax.vjp(convolved, kernel)
    return dx, *pull(x)


_overlapping.defvjp(_forward, _backward)


def _by_products(x: Array, kernel: Array, strides: Numbers, cut: Sequence[Edges], dilation: Numbers) -> Array:
    """The outputs, from the products of every input with every tap."""
    *taps, channels, features = kernel.shape
    matrix = jnp.moveaxis(kernel, -2, 0).reshape(channels, -1)
    y = jnp.matmul(x.reshape(math.prod(x.shape[:-1]), channels), matrix, preferred_element_type=wide_dtype(x.dtype))
    y = y.reshape(*x.shape[:-1], *taps, features)
    for axis in range(len(taps)):
        y = _added_up(y, 1 + axis, 1 + len(taps), strides[axis], dilation[axis])
    return _cut_out(y.astype(x.dtype), _spans(x, kernel, strides, cut, dilation), (0,) * len(taps))


def _added_up(y: Array, axis: int, tap_axis: int, stride: int, dilation: int) -> Array:
    """The results of each tap put in their places along `axis` and added where they meet; `tap_axis` is gone."""
    reach = (y.shape[tap_axis] - 1) * dilation + 1
    count = -(-reach // stride)
    y = _padded(y, tap_axis, 0, count * stride - reach, dilation - 1)
    y = y.reshape(*y.shape[:tap_axis], count, stride, *y.shape[tap_axis + 1 :])
    parts = (lax.index_in_dim(y, i, tap_axis, keepdims=False) for i in range(count))
    total = reduce(jnp.add, (_padded(part, axis, i, count - 1 - i) for i, part in enumerate(parts)))
    total = jnp.moveaxis(total, tap_axis, axis + 1)
    return total.reshape(*total.shape[:axis], math.prod(total.shape[axis : axis + 2]), *total.shape[axis + 2 :])


def _padded(x: Array, axis: int, low: int, high: int, between: int = 0) -> Array:
    amounts = [(0, 0, 0)] * x.ndim
    amounts[axis] = (low, high, between)
    return lax.pad(x, jnp.zeros((), x.dtype), amounts)


def _by_phases(
    x: Array, kernel: Array, strides: Numbers, dilation: Numbers, groups: int, spans: Sequence[Edges]
) -> tuple[Array, list[int]]:
    """The outputs from a little before each span's begin to a little after its end, and where they begin."""
    axes = range(len(strides))
    # Phases and taps that are spread apart do not mix well: where there are phases, spread taps have zeros between.
    for i in axes:
        kernel = _padded(kernel, i, 0, 0, dilation[i] - 1 if strides[i] > 1 else 0)
    dilation = [1 if strides[i] > 1 else dilation[i] for i in axes]
    phases = _phases(kernel, strides, groups)
    back = [reach - 1 for reach in extents(phases.shape[:-2], dilation)]
    first = [min(begin // strides[i], back[i]) for i, (begin, _) in enumerate(spans)]
    after = [max(-(-end // strides[i]) - x.shape[1 + i], 0) for i, (_, end) in enumerate(spans)]
    padding = [(back[i] - first[i], after[i]) for i in axes]
    y = _interleaved(convolve(x, phases, (1,) * len(axes), padding, dilation, groups), strides, groups)
    return y, [first[i] * strides[i] for i in axes]


def _phases(kernel: Array, strides: Numbers, groups: int) -> Array:
    """The kernel of all phases: (ceil(taps / stride) for each axis, in / groups, groups · phases · features / groups)."""
    *taps, channels, features = kernel.shape
    axes = len(taps)
    counts = [-(-size // stride) for size, stride in zip(taps, strides, strict=True)]
    for i in range(axes):
        kernel = _padded(kernel, i, 0, counts[i] * strides[i] - taps[i])
    split = [size for pair in zip(counts, strides, strict=True) for size in pair]
    kernel = kernel.reshape(*split, channels, groups, features // groups)
    kernel = jnp.flip(kernel, range(0, 2 * axes, 2))
    kernel = kernel.transpose(*range(0, 2 * axes, 2), 2 * axes, 2 * axes + 1, *range(1, 2 * axes, 2), 2 * axes + 2)
    return kernel.reshape(*counts, channels, math.prod(strides) * features)


def _interleaved(y: Array, strides: Numbers, groups: int) -> Array:
    """Phases among the features, (batch, *spatial, groups · phases · rest), put side by side in space."""
    batch, *sizes, features = y.shape
    axes = len(sizes)
    y = y.reshape(batch, *sizes, groups, *strides, features // math.prod(strides) // groups)
    pairs = [axis for i in range(axes) for axis in (1 + i, 2 + axes + i)]
    y = y.transpose(0, *pairs, 1 + axes, 2 + 2 * axes)
    larger = (size * stride for size, stride in zip(sizes, strides, strict=True))
    return y.reshape(batch, *larger, features // math.prod(strides))
