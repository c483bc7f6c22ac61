"""Values that are known before a model runs, such as the shape that a Reshape takes.

While JAX traces a function shapes are known, so what operators compute from shapes alone can be known too. Such values travel
as NumPy arrays: an operator whose inputs are all known runs at once, and its output is known.
"""

from typing import Annotated, Any

import numpy as np

from zerfoo_jax.core.errors import ShapeError


class KnownMark:
    """Marks an input in an operator's signature as one that must be known before the model runs."""


Known = Annotated[np.ndarray, KnownMark]
"""For an input that decides over shapes: the operator gets it as a NumPy array."""


class BufferMark:
    """Marks an input in an operator's signature whose array, where it comes with the model, is state and is not trained."""


Buffer = Annotated[Any, BufferMark]
"""For an input such as a running mean or a quantisation's scale."""


def expect_known(value: Any, op_type: str, name: str) -> np.ndarray:
    """The value as a NumPy array; raises `ShapeError` for one that is not known before the model runs."""
    if isinstance(value, np.ndarray):
        return value
    raise ShapeError(
        f"{op_type} needs its input {name!r} before the model runs, but it depends on the model's inputs",
        fix="compute it from shapes or constants, or run the model operator by operator with concrete inputs",
    )
