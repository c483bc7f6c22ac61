"""Fourier transforms, windows and the mel scale. Complex numbers are a last axis of two: real and imaginary part."""

from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.data_types import dtype_of
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.formats.operators.sizes import check_output_size
from zerfoo_jax.numeric import widened


def DFT(x: Array, dft_length: Known | None = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0) -> Array:
    """As of version 20, with the axis as an attribute."""
    return _transformed(x, dft_length, axis, bool(inverse), bool(onesided))


def DFT_20(
    x: Array, dft_length: Known | None = None, axis: Known | None = None, *, inverse: int = 0, onesided: int = 0
) -> Array:
    """y_k = Σ_n exp(-2πi k n / N) x_n along an axis, or its inverse, after cutting or padding to N = `dft_length`.

    With `onesided` only the first half of a real signal's spectrum is given, or taken by the inverse, which then is real.
    """
    return _transformed(x, dft_length, -2 if axis is None else int(axis.reshape(())), bool(inverse), bool(onesided))


def _transformed(x: Array, dft_length: Known | None, axis: int, inverse: bool, onesided: bool) -> Array:
    if x.ndim < 2 or x.shape[-1] not in (1, 2) or axis % x.ndim == x.ndim - 1:
        raise ShapeError(f"the Fourier transform along axis {axis} of shape {tuple(x.shape)}, whose last axis has to be 1 or 2")
    axis %= x.ndim
    backwards = inverse and onesided
    size = 2 * (x.shape[axis] - 1) if backwards else x.shape[axis]
    length = size if dft_length is None else int(dft_length.reshape(()))
    if length < 1:
        raise FormatError(f"a Fourier transform of {length} elements")
    check_output_size((*x.shape[:axis], length, *x.shape[axis + 1 : -1], 2))
    wide = widened(jnp.asarray(x))
    signal = wide[..., 0] if x.shape[-1] == 1 else lax.complex(wide[..., 0], wide[..., 1])
    if backwards:
        return jnp.fft.irfft(signal, length, axis)[..., None].astype(x.dtype)
    y = jnp.fft.ifft(signal, length, axis) if inverse else _forwards(signal, length, axis)
    if onesided:
        y = lax.slice_in_dim(y, 0, length // 2 + 1, axis=axis)
    return jnp.stack([jnp.real(y), jnp.imag(y)], axis=-1).astype(x.dtype)


def _forwards(signal: Array, length: int, axis: int) -> Array:
    """The Fourier transform. That of a real signal is symmetric, exactly so where only half of it is computed."""
    if jnp.iscomplexobj(signal):
        return jnp.fft.fft(signal, length, axis)
    half = jnp.fft.rfft(signal, length, axis)
    mirrored = jnp.conj(jnp.flip(lax.slice_in_dim(half, 1, (length + 1) // 2, axis=axis), axis))
    return jnp.concatenate([half, mirrored], axis)


def STFT(
    signal: Array, frame_step: Known, window: Array | None = None, frame_length: Known | None = None, *, onesided: int = 1
) -> Array:
    """The Fourier transforms of frames, times a window: (batch, length, 1 or 2) -> (batch, frames, frequencies, 2).

    Real signals may lack the last axis.
    """
    signal = jnp.asarray(signal)[..., None] if signal.ndim == 2 else signal
    step = int(frame_step.reshape(()))
    whole = signal.shape[1] if window is None else window.shape[0]
    size = whole if frame_length is None else int(frame_length.reshape(()))
    if signal.ndim != 3 or step < 1 or not 0 < size <= signal.shape[1] or (window is not None and window.shape != (size,)):
        raise ShapeError(f"frames of {size}, {step} apart, with that window do not fit a signal of shape {tuple(signal.shape)}")
    count = (signal.shape[1] - size) // step + 1
    check_output_size((signal.shape[0], count, size, 2))
    frames = jnp.asarray(signal)[:, np.arange(count)[:, None] * step + np.arange(size)]
    if window is not None:
        frames = frames * window.astype(frames.dtype).reshape(1, 1, size, 1)
    return _transformed(frames, None, 2, False, bool(onesided))


def HannWindow(size: Known, *, output_datatype: int = 1, periodic: int = 1) -> np.ndarray:
    """0.5 - 0.5 cos(2πn / N), where N is one less unless `periodic`."""
    return _window(size, periodic, output_datatype, 0.5, 0.5, 0.0)


def HammingWindow(size: Known, *, output_datatype: int = 1, periodic: int = 1) -> np.ndarray:
    """25 / 46 - 21 / 46 cos(2πn / N), where N is one less unless `periodic`."""
    return _window(size, periodic, output_datatype, 25 / 46, 21 / 46, 0.0)


def BlackmanWindow(size: Known, *, output_datatype: int = 1, periodic: int = 1) -> np.ndarray:
    """0.42 - 0.5 cos(2πn / N) + 0.08 cos(4πn / N), where N is one less unless `periodic`."""
    return _window(size, periodic, output_datatype, 0.42, 0.5, 0.08)


def _window(size: Known, periodic: int, output_datatype: int, a: float, b: float, c: float) -> np.ndarray:
    (count,) = check_output_size([int(size.reshape(()))])
    turns = 2 * np.pi * np.arange(count) / max(count if periodic else count - 1, 1)
    return (a - b * np.cos(turns) + c * np.cos(2 * turns)).astype(dtype_of(output_datatype))


def MelWeightMatrix(
    num_mel_bins: Known,
    dft_length: Known,
    sample_rate: Known,
    lower_edge_hertz: Known,
    upper_edge_hertz: Known,
    *,
    output_datatype: int = 1,
) -> np.ndarray:
    """Triangles on the mel scale, 2595 log10(1 + f / 700): (dft_length // 2 + 1, num_mel_bins), for spectra on their left."""
    bins, length, rate = (int(number.reshape(())) for number in (num_mel_bins, dft_length, sample_rate))
    edges = [2595 * np.log10(1 + float(edge.reshape(())) / 700) for edge in (lower_edge_hertz, upper_edge_hertz)]
    rows, _ = check_output_size((length // 2 + 1, bins))
    if rate < 1:
        raise FormatError(f"a sample rate of {rate}")
    mels = np.arange(bins + 2) * ((edges[1] - edges[0]) / (bins + 2)) + edges[0]
    places = ((length + 1) * (700 * (10 ** (mels / 2595) - 1)) // rate).astype(np.int64)
    if places.min() < 0 or places.max() > rows:
        raise FormatError(f"the frequencies do not lie within 0 ... {rate / 2} Hz, half the sample rate")
    low, centre, high = places[:-2], places[1:-1], places[2:]
    row = np.arange(rows)[:, None]
    rising = np.where(centre == low, row == centre, (row - low) / np.maximum(centre - low, 1))
    falling = (high - row) / np.maximum(high - centre, 1)
    rises = (row >= low) & (row <= centre)
    falls = (row >= centre) & (row < high)
    return np.where(falls, falling, np.where(rises, rising, 0)).astype(dtype_of(output_datatype))
