"""A model as operators: what ONNX and ZMF files hold, and what the exporter makes of any JAX function.

Operators and their attributes are those of the ONNX specification (https://onnx.ai/onnx/operators/), but nothing here needs the
`onnx` package.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, Union

import numpy as np

Attribute: TypeAlias = Union[int, float, str, np.ndarray, tuple, "OperatorGraph"]
"""A number, a text, a tensor, a graph, or a tuple of them."""

Dim: TypeAlias = int | str | None
"""A size, the name of one that is not known yet (two of one name are equal), or None for any."""


@dataclass(frozen=True, eq=False)
class Value:
    """A value's name, and its shape and NumPy dtype name as far as they are known."""

    name: str
    dtype: str | None = None
    shape: tuple[Dim, ...] | None = None


@dataclass(frozen=True, eq=False)
class OperatorNode:
    """One operation. An input that is left out is the empty text; so is an output that nobody wants."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    name: str = ""
    domain: str = ""


@dataclass(frozen=True, eq=False)
class OperatorGraph:
    """Operators wired by the names of values, in an order in which they can run; each value is made once.

    `parameters` are the arrays that come with the graph (ONNX calls them initializers), possibly memory-mapped; `opsets` is the
    version of each domain's operators. A graph in an attribute also sees the values of the graph around it.
    """

    nodes: tuple[OperatorNode, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    opsets: Mapping[str, int] = field(default_factory=dict)
    name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
