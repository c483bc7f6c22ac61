"""Cross-entropy over large vocabularies, whose logits and their gradient would not fit, or not fit well, into memory."""

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric.precision import wide_dtype
from zerfoo_jax.numeric.weighting import spread

SMALLEST_CHUNK, LARGEST_CHUNK = 2**25, 2**28
"""Bytes of logits: below, the kernel's gradient crosses memory too often on a CPU; above, little is gained."""
CHUNKS = 9
"""Between the two, a chunk is this part of all logits: small beside what is saved."""

Chunk = tuple[Array, Array, Array]
"""Hidden (tokens, features), targets and weights (tokens,); all chunks together have one more axis in front."""


@checked
def vocabulary_cross_entropy(
    outputs: tuple[Array, Array],
    targets: Array,
    weights: Array,
    *,
    ignore_index: int | None = None,
    logits_bytes: PositiveInt | None = None,
) -> dict[str, Array]:
    """Σ w l and Σ w of l = `cross_entropy`(hidden kernelᵀ, targets), without ever holding all logits.

    `outputs` are (hidden (..., features), kernel (vocab, features)), targets and weights (...); weights of fewer axes count
    for all below them. Tokens pass in chunks of at most `logits_bytes` of logits, by default a ninth of all within 32 to 256
    MiB. Under differentiation a chunk gives its loss and both gradients at once, and the backward pass only scales them:
    nothing is computed twice, and what is kept is as large as the gradients (the idea of Cut Cross-Entropy, arXiv 2411.09009,
    and of Liger Kernel, arXiv 2410.10989). Products of half-precision arrays, the softmax and the kernel's gradient are summed
    in float32.

    Targets equal to `ignore_index` do not count, nor do those of weight 0; other targets outside 0..vocab-1 give NaN. Raises
    `ShapeError` for shapes that do not fit.

    >>> hidden, kernel, targets = jnp.ones((3, 2)), jnp.zeros((4, 2)), jnp.array([0, 3, -1])
    >>> sums = vocabulary_cross_entropy((hidden, kernel), targets, jnp.ones(3), ignore_index=-1)
    >>> float(sums["sum"] / jnp.log(4)), float(sums["count"])
    (2.0, 2.0)
    """
    hidden, kernel = outputs
    _check(hidden, kernel, targets)
    wide = wide_dtype(hidden.dtype)
    weights = spread(weights, targets.shape).astype(wide)
    if ignore_index is not None:
        weights = jnp.where(targets == ignore_index, 0, weights)
    # What does not count may be NaN, which 0 would not undo.
    hidden = jnp.where(weights[..., None] == 0, 0, hidden)
    row_bytes = kernel.shape[0] * wide(0).itemsize
    most_bytes = logits_bytes or min(max(targets.size * row_bytes // CHUNKS, SMALLEST_CHUNK), LARGEST_CHUNK)
    count, size = _chunks(targets.size, row_bytes, most_bytes)

    def cut(x: Array, *features: int) -> Array:
        filling = [(0, count * size - targets.size)] + [(0, 0)] * len(features)
        return jnp.pad(x.reshape(-1, *features), filling).reshape(count, size, *features)

    chunks = cut(hidden, hidden.shape[-1]), cut(_at_least_32_bits(targets)), cut(weights)
    return {"sum": _summed(kernel, chunks), "count": jnp.sum(weights)}


def _check(hidden: Array, kernel: Array, targets: Array) -> None:
    fits = hidden.shape[:-1] == targets.shape and kernel.ndim == 2 and hidden.shape[-1:] == kernel.shape[-1:]
    if not fits or not jnp.issubdtype(targets.dtype, jnp.integer) or hidden.dtype != kernel.dtype:
        raise ShapeError(
            f"vocabulary_cross_entropy: hidden {hidden.dtype}{hidden.shape}, kernel {kernel.dtype}{kernel.shape} and targets "
            f"{targets.dtype}{targets.shape} do not fit",
            fix="give (..., features), (vocab, features) of one dtype and class numbers of shape (...)",
        )


def _chunks(tokens: int, row_bytes: int, logits_bytes: int) -> tuple[int, int]:
    """How many chunks of how many tokens: as equal as can be, but large ones in sizes that a GPU's tiles divide."""
    most = max(1, logits_bytes // row_bytes)
    count = max(1, -(-tokens // most))
    size = -(-tokens // count)
    tile = 64 if size >= 512 else 1
    return count, -(-size // tile) * tile


@jax.custom_vjp
def _summed(kernel: Array, chunks: Chunk) -> Array:
    """Σ w l over the chunks."""

    def add(total: Array, chunk: Chunk) -> tuple[Array, None]:
        hidden, targets, weights = chunk
        losses, _ = _losses(_product(hidden, kernel, 1, 1), targets, weights)
        return total + jnp.sum(losses * weights), None

    return lax.scan(add, jnp.zeros((), chunks[-1].dtype), chunks)[0]


def _forward(kernel: Array, chunks: Chunk) -> tuple[Array, tuple[Array, ...]]:
    """Σ w l, its gradients for kernel, hidden and weights, and the dtype of the first two."""

    def add(kernel_gradient: Array, chunk: Chunk) -> tuple[Array, tuple[Array, Array]]:
        hidden, targets, weights = chunk
        logits = _product(hidden, kernel, 1, 1)
        losses, log_p = _losses(logits, targets, weights)
        # Compared, not scattered: in one pass with the exponential, and exact where a probability is almost 1.
        right = lax.broadcasted_iota(targets.dtype, logits.shape, 1) == targets[:, None]
        gradient = weights[:, None] * (jnp.exp(log_p) - right.astype(logits.dtype))
        gradient = gradient.astype(hidden.dtype)
        return kernel_gradient + _product(gradient, hidden, 0, 0), (_product(gradient, kernel, 1, 0), losses)

    weights = chunks[-1]
    kernel_gradient, (hidden_gradient, losses) = lax.scan(add, jnp.zeros(kernel.shape, weights.dtype), chunks)
    return jnp.sum(losses * weights), (kernel_gradient, hidden_gradient, losses, jnp.zeros((), kernel.dtype))


def _backward(kept: tuple[Array, ...], cotangent: Array) -> tuple[Array, tuple[Array, None, Array]]:
    kernel, hidden, weights, like = kept
    # Scaled before they are rounded to half precision, in whose range the gradient of a sum need not be.
    return (cotangent * kernel).astype(like.dtype), ((cotangent * hidden).astype(like.dtype), None, cotangent * weights)


_summed.defvjp(_forward, _backward)


def _product(a: Array, b: Array, a_axis: int, b_axis: int) -> Array:
    """The sum over one axis of each, in float32 or wider."""
    return lax.dot_general(a, b, (((a_axis,), (b_axis,)), ((), ())), preferred_element_type=wide_dtype(a.dtype))


def _losses(logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
    """-log softmax at the targets, 0 where nothing counts and NaN where there is no such class; and all of log softmax."""
    # Relative to the largest, for large logits not to swallow the digits of a small loss.
    largest = jnp.max(logits, axis=-1, keepdims=True)
    log_sum = jnp.log(jnp.sum(jnp.exp(logits - largest), axis=-1, keepdims=True))
    exists = (targets >= 0) & (targets < logits.shape[-1])
    at = jnp.take_along_axis(logits, jnp.where(exists, targets, 0)[:, None], axis=-1)
    losses = jnp.where(exists, (log_sum - (at - largest))[:, 0], jnp.nan)
    return jnp.where(weights == 0, 0, losses), logits - largest - log_sum


def _at_least_32_bits(targets: Array) -> Array:
    """The size of the vocabulary need not fit the targets' own dtype, such as bytes in uint8."""
    return targets if jnp.iinfo(targets.dtype).bits >= 32 else targets.astype(jnp.int32)
