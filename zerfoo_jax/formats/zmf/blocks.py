"""ZMF's Q4_0 and Q8_0: blocks of 32 values with a scale. They are not GGML's of the same names.

    Q4_0   18 bytes: float16 scale; byte j holds value 2j in its low bits and value 2j+1 in its high bits, each plus 8
    Q8_0   36 bytes: float32 scale; 32 int8

The last block is filled with zeros. A value is its code times the block's scale.
"""

from typing import Literal

import numpy as np

from zerfoo_jax.core.errors import FormatError

BLOCK = 32
BlockKind = Literal["Q4_0", "Q8_0"]
BLOCK_BYTES: dict[BlockKind, int] = {"Q4_0": 18, "Q8_0": 36}


def packed_bytes(kind: BlockKind, count: int) -> int:
    """The bytes of so many values.

    >>> packed_bytes("Q4_0", 33)
    36
    """
    return -(-count // BLOCK) * BLOCK_BYTES[kind]


def unpack(kind: BlockKind, data: memoryview, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The codes, int8 of shape (count,), and the scales, float32, one for each block.

    Raises `FormatError` for scales that are not finite.
    """
    blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCK_BYTES[kind])
    if kind == "Q4_0":
        scales = np.ascontiguousarray(blocks[:, :2]).view("<f2")[:, 0].astype(np.float32)
        pairs = blocks[:, 2:, None] >> np.array([0, 4], np.uint8) & np.uint8(15)
        codes = pairs.reshape(-1).astype(np.int8) - np.int8(8)
    else:
        scales = np.ascontiguousarray(blocks[:, :4]).view("<f4")[:, 0].astype(np.float32)
        codes = np.ascontiguousarray(blocks[:, 4:]).view(np.int8).reshape(-1)
    if not np.isfinite(scales).all():
        raise FormatError(f"a scale of {kind} is not finite")
    return codes[:count], scales


def unpacked_values(kind: BlockKind, data: memoryview, count: int) -> np.ndarray:
    """The values, float32 of shape (count,)."""
    codes, scales = unpack(kind, data, count)
    values = codes.astype(np.float32)
    whole = count // BLOCK * BLOCK
    values[:whole].reshape(-1, BLOCK)[:] *= scales[: whole // BLOCK, None]
    values[whole:] *= scales[-1:] if count > whole else np.float32(1)
    return values


def pack(kind: BlockKind, values: np.ndarray) -> np.ndarray:
    """The bytes of these values, as the original quantises: scale = largest magnitude / 7 or / 127.

    Codes are rounded, halves away from 0. Q4_0's scale is cut, not rounded, to float16; its codes are those of the whole scale.
    """
    flat = np.asarray(values, np.float32).reshape(-1)
    blocks = np.pad(flat, (0, -flat.size % BLOCK)).reshape(-1, BLOCK)
    largest = {"Q4_0": np.float32(7), "Q8_0": np.float32(127)}[kind]
    scales = np.abs(blocks).max(axis=1, initial=0) / largest
    ratios = blocks / np.where(scales > 0, scales, np.float32(1))[:, None]
    rounded = np.trunc(ratios + np.copysign(np.float32(0.5), ratios))
    codes = np.clip(rounded, -8 if kind == "Q4_0" else -127, largest).astype(np.int8)
    if kind == "Q8_0":
        return np.concatenate([scales[:, None].view(np.uint8), codes.view(np.uint8)], axis=1).reshape(-1)
    nibbles = (codes + np.int8(8)).astype(np.uint8)
    pairs = nibbles[:, ::2] | nibbles[:, 1::2] << np.uint8(4)
    return np.concatenate([_cut_to_float16(scales)[:, None].view(np.uint8), pairs], axis=1).reshape(-1)


def _cut_to_float16(scales: np.ndarray) -> np.ndarray:
    """float16 towards 0, with numbers below its smallest normal one as 0."""
    rounded = scales.astype(np.float16)
    cut = np.where(rounded.astype(np.float32) > scales, np.nextafter(rounded, np.float16(0)), rounded)
    return np.where(cut < np.finfo(np.float16).smallest_normal, np.float16(0), cut)
