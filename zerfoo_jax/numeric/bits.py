"""Numbers of less than a byte as files pack them, one right after the other. In memory each takes a byte of its own.

Order "little": the first number is in a byte's lowest bits, as in ONNX and safetensors; "big": in its highest.
"""

from typing import Literal

import numpy as np

Order = Literal["little", "big"]

_CHUNK = 2**18
"""Numbers that are packed or unpacked at once: they take eight times their bytes meanwhile."""


def packed_size(count: int, bits: int) -> int:
    """The bytes that so many numbers take, the last one filled up.

    >>> packed_size(3, 4)
    2
    """
    return -(-count * bits // 8)


def pack(codes: np.ndarray, bits: int, order: Order = "little") -> np.ndarray:
    """The lowest bits of numbers of one byte each, packed, the last byte filled up with zeros; uint8.

    >>> pack(np.array([1, 15, 8], np.uint8), 4).tolist(), pack(np.array([1, 15, 8], np.uint8), 4, "big").tolist()
    ([241, 8], [31, 128])
    """
    flat, parts = codes.reshape(-1).view(np.uint8), []
    for start in range(0, len(flat), _CHUNK):
        flags = np.unpackbits(flat[start : start + _CHUNK, None], axis=1, bitorder=order)
        parts.append(np.packbits(flags[:, :bits] if order == "little" else flags[:, -bits:], bitorder=order))
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def unpack(packed: np.ndarray | bytes | memoryview, bits: int, count: int, order: Order = "little") -> np.ndarray:
    """The first `count` numbers of what `pack` gives, from 0 to 2^bits - 1; uint8.

    >>> unpack(b"\\x1f\\x80", 4, 3, "big").tolist()
    [1, 15, 8]
    """
    flat, codes = np.frombuffer(packed, np.uint8), np.empty(count, np.uint8)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        flags = np.unpackbits(flat[start * bits // 8 :][: packed_size(size, bits)], count=size * bits, bitorder=order)
        codes[start : start + size] = np.packbits(flags.reshape(size, bits), axis=1, bitorder=order)[:, 0]
    return codes if order == "little" else codes >> (8 - bits)


def signed(codes: np.ndarray, bits: int) -> np.ndarray:
    """Two's complement: the upper half of the codes are the negative numbers; int8.

    >>> signed(np.array([7, 8, 15]), 4).tolist()
    [7, -8, -1]
    """
    codes = codes.astype(np.int8)
    return np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes).astype(np.int8)
