"""What stands for a value while a graph is being written in Python."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Union

from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Tree
from zerfoo_jax.graph.graph import value_along
from zerfoo_jax.graph.input import Input


@dataclass(eq=False)
class Part:
    """An input or a node on its way into a graph."""

    made_of: "Input | Layer | Handle"
    """What is declared, the layer, or a node whose layer runs again."""
    inputs: tuple["Wire", ...] = ()
    name: str | None = None
    owner: Any = None
    """The builder that has given it its place."""
    value: Tree = None
    number: int = field(default_factory=count().__next__, repr=False)
    """By which parts stand in the order in which they were written."""


@dataclass(frozen=True)
class Handle:
    """A value in a graph: an input, or the output of a node; `handle[1]` is one of several outputs."""

    part: Part
    index: int | None = None

    def __getitem__(self, index: int) -> "Handle":
        if self.index is not None or isinstance(index, bool) or not isinstance(index, int) or index < 0:
            raise GraphError(f"{index!r} is no output of {self.wire!r}", place=self.wire, fix="count outputs from 0")
        return Handle(self.part, index)

    __iter__ = None
    """How many outputs a node has is not known here: it is not unpacked."""

    @property
    def name(self) -> str:
        """The name of the input or node; empty as long as it has none."""
        return self.part.name or ""

    @property
    def wire(self) -> str:
        """The value's name in the `inputs` of nodes: `conv`, or `split:1`."""
        return self.name if self.index is None else f"{self.name}:{self.index}"

    @property
    def value(self) -> Tree:
        """What has been computed. Raises `GraphError` where nothing has."""
        if self.part.value is None:
            raise GraphError(
                "nothing has been computed", place=self.wire, fix="use GraphBuilder(key=...) and give every input a value"
            )
        return value_along({self.name: self.part.value}, self.wire)


Wire = Union[Handle, str]  # noqa: UP007 - the name is used in quotes above
"""A value, or its name where it belongs to a node further down."""
Wires = Wire | Sequence[Wire]
