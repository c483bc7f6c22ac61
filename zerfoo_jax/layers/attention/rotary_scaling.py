"""Rotary frequencies for texts longer than those of the training: functions in `ROTARY_SCALINGS`.

Each maps (frequencies (dims/2,), base) to (new frequencies, magnitude): cosine and sine are multiplied by the magnitude.
"""

from collections.abc import Callable
import math
from typing import Annotated

import numpy as np

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt
from zerfoo_jax.core.spec import MemberOf, NamedOrMapping, bound

Frequencies = np.ndarray
Scaled = tuple[Frequencies, float]


def linear(frequencies: Frequencies, base: float, *, factor: PositiveFloat) -> Scaled:
    """Position interpolation: ω / factor (Chen et al., arXiv 2306.15595)."""
    return frequencies / factor, 1.0


def ntk(frequencies: Frequencies, base: float, *, factor: PositiveFloat) -> Scaled:
    """NTK-aware: the base times factor^(dims / (dims - 2)), so that the lowest ω falls by factor and the highest stays.

    Source: Peng et al., arXiv 2309.00071, section 3.1. One pair alone stays as it is.
    """
    half = len(frequencies)
    return frequencies * factor ** (-np.arange(half) / max(half - 1, 1)), 1.0


def llama3(
    frequencies: Frequencies,
    base: float,
    *,
    factor: PositiveFloat,
    low_freq_factor: PositiveFloat,
    high_freq_factor: PositiveFloat,
    original_max_position_embeddings: PositiveInt,
) -> Scaled:
    """ω / factor for pairs that turn less than low_freq_factor times in the original length, ω from high_freq_factor turns on.

    In between the two are mixed, linearly in the number of turns (Grattafiori et al., arXiv 2407.21783, and Meta's code).
    Raises `ConfigError` where the second is not above the first.
    """
    if low_freq_factor >= high_freq_factor:
        raise ConfigError(
            f"high_freq_factor = {high_freq_factor} is not above low_freq_factor = {low_freq_factor}",
            fix="choose low_freq_factor < high_freq_factor",
        )
    turns = original_max_position_embeddings * frequencies / (2 * math.pi)
    kept = np.clip((turns - low_freq_factor) / (high_freq_factor - low_freq_factor), 0, 1)
    return frequencies * (kept + (1 - kept) / factor), 1.0


def yarn(
    frequencies: Frequencies,
    base: float,
    *,
    factor: PositiveFloat,
    original_max_position_embeddings: PositiveInt,
    beta_fast: PositiveFloat = 32.0,
    beta_slow: PositiveFloat = 1.0,
    attention_factor: PositiveFloat | None = None,
) -> Scaled:
    """ω / factor for pairs that turn less than beta_slow times in the original length, ω from beta_fast turns on.

    In between the two are mixed, linearly in the number of the pair; `attention_factor` is the magnitude, by default
    0.1 ln(factor) + 1 (Peng et al., arXiv 2309.00071).
    """
    half = len(frequencies)

    def pair(turns: float) -> float:
        """Which pair, counted in fractions, turns so often within the original length."""
        return half * math.log(original_max_position_embeddings / (turns * 2 * math.pi)) / math.log(base)

    first, last = max(math.floor(pair(beta_fast)), 0), min(math.ceil(pair(beta_slow)), 2 * half - 1)
    slowed = np.clip((np.arange(half) - first) / max(last - first, 1e-3), 0, 1)
    magnitude = 0.1 * math.log(max(factor, 1.0)) + 1 if attention_factor is None else attention_factor
    return frequencies * (1 - slowed + slowed / factor), magnitude


ROTARY_SCALINGS: dict[str, Callable[..., Scaled]] = {
    "linear": linear,
    "llama3": llama3,
    "ntk": ntk,
    "yarn": yarn,
}

RotaryScalingSpec = Annotated[NamedOrMapping, "rotary scaling", MemberOf(ROTARY_SCALINGS, "rotary scaling")]
"""A member of `ROTARY_SCALINGS` with its options: `{name: linear, factor: 2.0}`."""


def rotary_frequencies(dims: int, base: float, scaling: NamedOrMapping | None = None) -> Scaled:
    """ω_i = base^(-2i / dims) in radians per position, scaled, and the magnitude, in float64.

    >>> rotary_frequencies(4, 100.0, {"name": "linear", "factor": 2.0})
    (array([0.5 , 0.05]), 1.0)
    """
    frequencies = float(base) ** (-np.arange(0, dims, 2, dtype=np.float64) / dims)
    return (frequencies, 1.0) if scaling is None else bound(ROTARY_SCALINGS, scaling, "rotary scaling")(frequencies, base)
