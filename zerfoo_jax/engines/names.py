"""What an equation's name stack and traceback say: the layer it belongs to, the pass, and the line that wrote it."""

import os
from pathlib import Path
import re
from typing import Any

import jax

_WRAPPERS = ("jvp", "transpose", "vmap", "checkpoint", "rematted_computation")
_JAX_FOLDERS = tuple(str(Path(jax.__file__).parent) + end for end in (os.sep, "lib" + os.sep))


def layer_names(name_stack: str) -> tuple[str, ...]:
    """The names of the layers in a name stack, outermost first.

    >>> layer_names("transpose(jvp(stack_0))/block/inner")
    ('stack_0', 'block', 'inner')
    """
    parts = (re.sub(r"^(?:\w+\()+|\)+$", "", part) for part in name_stack.split("/"))
    return tuple(part for part in parts if part and part not in _WRAPPERS)


def is_transposed(name_stack: str) -> bool:
    """Whether the equation is part of a backward pass by its name."""
    return "transpose(" in name_stack


def source_line(equation: Any) -> str:
    """`file:line` of the innermost code outside of JAX that made an equation; empty where JAX does not say.

    Inside a function that JAX itself compiles, such as `jnp.where`, there is none: the line of its call is the one to name.
    """
    traceback = getattr(equation.source_info, "traceback", None)
    for frame in getattr(traceback, "frames", ()):
        if not frame.file_name.startswith(_JAX_FOLDERS):
            return f"{frame.file_name}:{frame.line_num}"
    return ""
