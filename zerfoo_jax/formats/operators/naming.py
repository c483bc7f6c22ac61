"""Names of values and nodes as nodes, inputs and leaves of a graph here may be called."""

from collections.abc import Container
import re

from zerfoo_jax.formats.limits import MAX_NAME

_OTHERS = re.compile(r"[^A-Za-z0-9_]+")


def plain_name(name: str) -> str:
    """The name in letters, digits and underscores: others join paths, name one of several outputs, or group parameters.

    >>> plain_name("/layer1/conv.0:1")
    'layer1_conv_0_1'
    """
    return _OTHERS.sub("_", name).strip("_")[:MAX_NAME]


def new_name(name: str, taken: Container[str]) -> str:
    """The plain name, with a number where it is taken.

    >>> new_name("conv", {"conv", "conv_1"})
    'conv_2'
    """
    plain, i = plain_name(name) or "value", 0
    found = plain
    while found in taken:
        i += 1
        found = f"{plain}_{i}"
    return found
