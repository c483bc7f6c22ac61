"""The 4-bit floats of LOOM's first generation, which are not those of the specification.

Its files keep two per byte, the first one in the lower half, as sign · 8 + code, without a scale. Its codes mean::

    code          0       1            2         3         4       5       6     7
    LOOM          0       0.75         1         1.5       2       3       inf   nan
    E2M1          0       0.5          1         1.5       2       3       4     6
    written for   < .125  [.125, 1)    [1, 1.5)  [1.5, 2)  [2, 3)  [3, 4)  -     >= 4

so that LOOM itself reads NaN where it wrote 4 or more.
"""

from typing import Literal

import ml_dtypes
import numpy as np

Compatibility = Literal["loom"]
"""Whose behaviour to follow where it differs from the specification."""

_EDGES = np.array([0.125, 1, 1.5, 2, 3, 4])
_CODES = np.array([0, 1, 2, 3, 4, 5, 7], np.uint8)
_VALUES = np.array([0, 0.75, 1, 1.5, 2, 3, np.inf, np.nan], np.float32)


def encode_f4(values: np.ndarray) -> np.ndarray:
    """The codes that LOOM writes for these values, as E2M1 floats; NaN, as in LOOM, is code 7.

    >>> encode_f4(np.array([0.1, 0.5, -1.25, 3.9])).tolist()
    [0.0, 0.5, -1.0, 3.0]
    """
    codes = _CODES[np.searchsorted(_EDGES, np.abs(values.astype(np.float64)), side="right")]
    return (codes | np.signbit(values).astype(np.uint8) << 3).view(ml_dtypes.float4_e2m1fn)


def decode_f4(codes: np.ndarray) -> np.ndarray:
    """The float32 values that LOOM reads from E2M1 floats.

    >>> decode_f4(np.array([0.5, -1, 6], ml_dtypes.float4_e2m1fn)).tolist()
    [0.75, -1.0, nan]
    """
    found = codes.view(np.uint8)
    return np.where(found & 8, -_VALUES[found & 7], _VALUES[found & 7])
