"""Cases to compare with onnxruntime: an operator, a version, inputs and attributes."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

_random = np.random.default_rng(0)


class Case(NamedTuple):
    """One call of an operator."""

    op_type: str
    version: int
    inputs: list[np.ndarray | None]
    attributes: dict[str, Any]
    outputs: int


class Cases(list[Case]):
    """Cases in the order in which they are named."""

    def case(self, op_type: str, versions: Iterable[int], inputs: list[Any], outputs: int = 1, **attributes: Any) -> None:
        """Adds one case for each version."""
        self.extend(Case(op_type, version, inputs, attributes, outputs) for version in versions)


def normal(*shape: int) -> np.ndarray:
    """Normal numbers in float32."""
    return np.asarray(_random.normal(size=shape), np.float32)


def integers(low: int, high: int, *shape: int) -> np.ndarray:
    """Integers from `low` up to, but not including, `high`."""
    return np.asarray(_random.integers(low, high, shape))


def int64(*values: int) -> np.ndarray:
    """A vector."""
    return np.array(values, np.int64)


def scalar(value: float) -> np.ndarray:
    """One number in float32."""
    return np.array(value, np.float32)


def uint8s(*shape: int) -> np.ndarray:
    """Numbers of 0 to 254."""
    return integers(0, 255, *shape).astype(np.uint8)


def int8s(*shape: int) -> np.ndarray:
    """Numbers of -128 to 126."""
    return integers(-128, 127, *shape).astype(np.int8)
