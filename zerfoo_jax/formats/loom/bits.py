"""Numbers of less than a byte, as both generations of LOOM pack them: the first in the highest bits."""

import numpy as np


def unpack(data: bytes | memoryview, bits: int, count: int) -> np.ndarray:
    """The first `count` codes, from 0 to 2^bits - 1, each in a byte of its own.

    >>> unpack(b"\\x1f\\x80", 4, 3).tolist()
    [1, 15, 8]
    """
    codes = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, bits)
    return np.packbits(codes, axis=1, bitorder="big").ravel()[:count] >> (8 - bits)


def pack(codes: np.ndarray, bits: int) -> bytes:
    """The inverse of `unpack`, filled up with zeros to whole bytes.

    >>> pack(np.array([1, 15, 8]), 4).hex()
    '1f80'
    """
    high = (codes.astype(np.uint8) << np.uint8(8 - bits)).astype(np.uint8)
    wanted = np.unpackbits(high.reshape(-1, 1), axis=1)[:, :bits]
    return np.packbits(wanted.ravel()).tobytes()


def signed(codes: np.ndarray, bits: int) -> np.ndarray:
    """Two's complement: the upper half of the codes are the negative numbers.

    >>> signed(np.array([7, 8, 15]), 4).tolist()
    [7, -8, -1]
    """
    codes = codes.astype(np.int8)
    return np.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes).astype(np.int8)
