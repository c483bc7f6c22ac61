"""Short identities of data: the same bytes give the same name on every machine, without reading huge files whole."""

import hashlib

import numpy as np

_WHOLE = 64 * 2**20
_SAMPLES = 256


def fingerprint_of(*parts: np.ndarray | str) -> str:
    """16 hex digits from the shapes, dtypes and contents of arrays, and from strings, in their order.

    Arrays above 64 MiB are sampled: 256 evenly spaced rows, first and last included.

    >>> fingerprint_of(np.arange(3), "a") == fingerprint_of(np.arange(3), "b")
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(f"{len(part)} {part}".encode(errors="surrogateescape"))
            continue
        digest.update(f"{part.dtype.str}{part.shape}".encode())
        if part.nbytes > _WHOLE:
            part = part[np.linspace(0, len(part) - 1, _SAMPLES).astype(np.int64)]
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]
