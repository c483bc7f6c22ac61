"""Values that stand in the graph itself."""

from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError


def Constant(
    *,
    value: np.ndarray | None = None,
    sparse_value: np.ndarray | None = None,
    value_float: float | None = None,
    value_floats: tuple[float, ...] | None = None,
    value_int: int | None = None,
    value_ints: tuple[int, ...] | None = None,
    value_string: str | None = None,
    value_strings: tuple[str, ...] | None = None,
) -> np.ndarray:
    """The one of its attributes that is given: a tensor, or float32, int64 or texts of no or one axis."""
    kinds: tuple[tuple[Any, Any], ...] = (
        (value, None),
        (sparse_value, None),
        (value_float, np.float32),
        (value_floats, np.float32),
        (value_int, np.int64),
        (value_ints, np.int64),
        (value_string, object),
        (value_strings, object),
    )
    given = [(found, dtype) for found, dtype in kinds if found is not None]
    if len(given) != 1:
        raise FormatError(f"Constant has one value, got {len(given)}")
    return np.asarray(given[0][0], dtype=given[0][1])
