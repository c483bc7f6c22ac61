"""What each primitive of a jaxpr becomes: a function from the builder, the equation and its inputs to its outputs."""

from collections.abc import Callable, Mapping
from typing import Any

from zerfoo_jax.formats.lowering.rules.contractions import CONTRACTIONS
from zerfoo_jax.formats.lowering.rules.convolutions import CONVOLUTIONS
from zerfoo_jax.formats.lowering.rules.elementwise import ELEMENTWISE
from zerfoo_jax.formats.lowering.rules.indexing import INDEXING
from zerfoo_jax.formats.lowering.rules.ordering import ORDERING
from zerfoo_jax.formats.lowering.rules.reductions import REDUCTIONS
from zerfoo_jax.formats.lowering.rules.shapes import SHAPES
from zerfoo_jax.formats.lowering.rules.windows import WINDOWS

RULES: Mapping[str, Callable[..., Any]] = {
    **CONTRACTIONS,
    **CONVOLUTIONS,
    **ELEMENTWISE,
    **INDEXING,
    **ORDERING,
    **REDUCTIONS,
    **SHAPES,
    **WINDOWS,
}
"""Calls, loops and branches, which hold jaxprs of their own, are in `control.py`."""
