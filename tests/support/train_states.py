"""Train states whose every value is a function of the step, so that a checker needs no history."""

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np


class Moments(NamedTuple):
    count: Any
    mu: Any
    nothing: Any


def state_at(step: int, size: int = 7) -> dict[str, Any]:
    """A state of NumPy arrays with nested dicts, a NamedTuple, None, an array without elements and several dtypes."""
    random = np.random.default_rng(step)
    kernel = random.normal(size=(size, 3)).astype(np.float32)
    return {
        "step": np.asarray(step, np.int32),
        "params": {"dense_0": {"kernel": kernel, "bias": random.normal(size=5).astype(ml_dtypes.bfloat16)}},
        "opt_state": (Moments(np.asarray(step, np.uint32), random.normal(size=(size, 3)).astype(np.float16), None),),
        "seen": random.random(11) < 0.5,
        "empty": np.zeros((0, 3), np.float32),
    }
