"""What is in a file, for those who look at it: the same facts whatever the format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TensorSummary:
    """One array in a file; `bytes` are those in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class NodeSummary:
    """One operation or layer in a file."""

    name: str
    kind: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """What a file holds. `facts` are texts and numbers: versions, producer, metadata."""

    format: str
    facts: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    nodes: tuple[NodeSummary, ...] = ()
    tensors: tuple[TensorSummary, ...] = ()
